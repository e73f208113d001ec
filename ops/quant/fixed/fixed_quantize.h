// The frozen quantizer as a differentiable op, its range still learning.
#ifndef BITGATE_OPS_QUANT_FIXED_FIXED_QUANTIZE_H_
#define BITGATE_OPS_QUANT_FIXED_FIXED_QUANTIZE_H_

#include <cstdint>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// A quantizer as it was frozen at range end `range`. All lengths stretch with the range as it goes on learning:
// ratio = current range / range, exactly 1 at the start.
struct FixedQuantizer {
  bool clip_only = false;      // 32 bits: y = clamp(x, low, high)
  float scale = 1;             // step size
  int32_t qmin = 0, qmax = 0;  // codes
  float low = 0, high = 0;     // clip of the method it was frozen from: gradient passes strictly inside
  float range = 1;             // > 0
};

// y = scale * clamp(round(x / scale), qmin, qmax), or the clip.
// x: float32, any shape.  range: [1], > 0, the current range.  keep: [x.shape()[0]], 1 or 0 (pruned), or undefined.
// Gradients: x straight through inside (low, high); range by LSQ's rule through the scale. Same pass.
// On CUDA the result and x's gradient have the CPU's bits; the range is read on the device.
// Throws InvalidArgument on shapes or dtypes that do not fit.
Tensor FixedQuantize(Context& context, const Tensor& x, const Tensor& range, const Tensor& keep,
                     const FixedQuantizer& quantizer);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_FIXED_FIXED_QUANTIZE_H_
