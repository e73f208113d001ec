// A frozen quantizer applied to one value, in float32 exactly as the frozen forward pass does it.
#ifndef BITGATE_MODELS_DEPLOY_APPLY_FIXED_H_
#define BITGATE_MODELS_DEPLOY_APPLY_FIXED_H_

#include "models/quantized/fixed.h"
#include "ops/quant/fixed/fixed_math.h"

namespace bitgate {

// For a channel that is kept.
inline float ApplyFixed(const Fixed& fixed, float x) {
  const FixedElement<float> element = {
      fixed.scale, static_cast<float>(fixed.qmin), static_cast<float>(fixed.qmax), fixed.low, fixed.high,
      /*keep=*/1,
      /*zero=*/0};
  switch (fixed.encoding) {
    case Encoding::kInteger:
      return FixedForward(x, element);
    case Encoding::kClip:
      return ClipForward(x, element);
    case Encoding::kZero:
      return 0;
    case Encoding::kFloat:
      return x;
  }
  return x;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_APPLY_FIXED_H_
