// A frozen quantizer applied to one value, in float32 exactly as the frozen forward pass does it.
#ifndef BITGATE_MODELS_DEPLOY_APPLY_FIXED_H_
#define BITGATE_MODELS_DEPLOY_APPLY_FIXED_H_

#include <algorithm>
#include <cmath>

#include "models/quantized/fixed.h"

namespace bitgate {

// The formula of models/quantized/fixed.h, rounding half to even.
inline float ApplyFixed(const Fixed& fixed, float x) {
  switch (fixed.encoding) {
    case Encoding::kInteger: {
      const float code = std::nearbyint(x / fixed.scale);
      return fixed.scale * std::clamp(code, static_cast<float>(fixed.qmin), static_cast<float>(fixed.qmax));
    }
    case Encoding::kClip:
      return std::clamp(x, fixed.low, fixed.high);
    case Encoding::kZero:
      return 0;
    case Encoding::kFloat:
      return x;
  }
  return x;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_APPLY_FIXED_H_
