// Differentiable views: the result shares storage with x and nothing is copied, forward or backward. Any dtype,
// contiguous; only float32 can carry a gradient.
#ifndef BITGATE_OPS_ELEMENTWISE_RESHAPE_H_
#define BITGATE_OPS_ELEMENTWISE_RESHAPE_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// The same elements in row-major order under another shape. Throws InvalidArgument when the counts differ.
Tensor Reshape(Context& context, const Tensor& x, const Shape& shape);

// [n, ...] -> [n, k].
Tensor Flatten(Context& context, const Tensor& x);

// Elements [begin, end) of a 1-D tensor. The gradients of all slices of x meet in one buffer.
Tensor Slice(Context& context, const Tensor& x, int64_t begin, int64_t end);

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_RESHAPE_H_
