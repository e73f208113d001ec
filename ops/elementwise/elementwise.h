// Ops on each element by itself. Operands are float32, contiguous, of any and equal shape (nothing is broadcast); the
// result is a new tensor of that shape. Exact: the same bits on every instruction set and device.
#ifndef BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_H_
#define BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_H_

#include "ops/elementwise/activation.h"
#include "runtime/device/context.h"
#include "runtime/kernel/accumulate.h"  // Add(context, y, a, b), into a given tensor
#include "runtime/tensor/tensor.h"

namespace bitgate {

// max(x, 0), a NaN stays. Gradient: that of the result where the result is positive, else 0. Saves the result.
Tensor Relu(Context& context, const Tensor& x);

// a + b. Both get the result's gradient.
Tensor Add(Context& context, const Tensor& a, const Tensor& b);

// a * b. Saves both.
Tensor Mul(Context& context, const Tensor& a, const Tensor& b);

// factor * x.
Tensor Scale(Context& context, const Tensor& x, float factor);

// For the backward of ops with a fused activation: the gradient before it, given the op's result y and y's gradient.
// `grad_y` itself for kNone. Not recorded.
Tensor ActivationGradient(Context& context, Activation activation, const Tensor& y, const Tensor& grad_y);

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_H_
