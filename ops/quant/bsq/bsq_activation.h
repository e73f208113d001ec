// BSQ's activations: a clip and a uniform quantizer over what is left, as a differentiable op.
#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_ACTIVATION_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_ACTIVATION_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// c = clamp(x, 0, alpha),  y = S round(c (2^bits - 1) / S) / (2^bits - 1), codes saturating at 2^bits - 1; 0 where S
// is. x: float32, any shape.  alpha: [1], PACT's bound (arXiv 1805.06085), or undefined for 6, ReLU6. largest: [1], S,
// a constant; undefined: the largest element of c.  bits: 1 to 16. Result: x's shape, the same bits on every
// instruction set and device. Alpha and S are read on the device.
//
// Gradients: x straight through for 0 < x < alpha; alpha: the sum of the gradient over x >= alpha, in the same pass.
// S gets none.
// Throws InvalidArgument on shapes, dtypes or bits that do not fit.
Tensor BsqActivation(Context& context, const Tensor& x, const Tensor& alpha, const Tensor& largest, int bits);

// S of BsqActivation: the largest element of clamp(x, 0, alpha), [1]; 0 without elements. NaNs are passed over. The
// same bits everywhere. Nothing is recorded. Throws InvalidArgument on shapes or dtypes that do not fit.
Tensor BsqLargest(Context& context, const Tensor& x, const Tensor& alpha);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_ACTIVATION_H_
