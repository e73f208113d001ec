// The Bayesian Bits quantizer as a differentiable op: clip, and the gated sum of residuals on the 2-4-8-16-32-bit
// grids.
#ifndef BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_H_
#define BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// x: float32, any shape.  range: [1], beta > 0.  gates: [4], z4, z8, z16, z32 in [0, 1].
// channel_gates: [x.shape()[0]], z2 of each output channel, or undefined for 1 throughout.
// Signed: values in (-beta, beta); unsigned: (0, beta), which makes the op its own ReLU.
// Result: x's shape. One pass over memory; levels behind a gate that is exactly 0 are not computed.
//
// Gradients: x by the straight-through estimator (zero on and outside the bounds); range, gates and channel_gates in
// the same pass (closed form, arXiv 2005.07093 with d round(u)/du = 1). A level gate (z4 ... z32) that is exactly 0,
// and those behind it, get gradient 0: a clamped hard-concrete gate passes none on.
//
// On CUDA the result and x's gradient have the CPU's bits; the sums are in another order. Range and gates are read on
// the device.
//
// Throws InvalidArgument on shapes or dtypes that do not fit.
Tensor BayesianBits(Context& context, const Tensor& x, const Tensor& range, const Tensor& gates,
                    const Tensor& channel_gates, bool is_signed);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_H_
