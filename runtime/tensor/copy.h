// Making tensors on a Context's device, and moving their values.
#ifndef BITGATE_RUNTIME_TENSOR_COPY_H_
#define BITGATE_RUNTIME_TENSOR_COPY_H_

#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Contiguous, from the pool; Empty's elements are undefined.
Tensor Empty(Context& context, const Shape& shape, DType dtype = DType::kFloat32);
Tensor Zeros(Context& context, const Shape& shape, DType dtype = DType::kFloat32);
Tensor FromHostBytes(Context& context, const void* data, const Shape& shape, DType dtype);

// A new tensor with a copy of `values`, row-major. Throws InvalidArgument when the count does not fit the shape.
template <class T>
Tensor FromHost(Context& context, const std::vector<T>& values, const Shape& shape);

// A row-major host copy of the elements. Throws InvalidArgument when T is not the dtype.
template <class T>
std::vector<T> ToHost(Context& context, const Tensor& tensor);

// `tensor` itself when contiguous, else a row-major copy. Not differentiable.
Tensor Contiguous(Context& context, const Tensor& tensor);

// A new contiguous tensor with the same elements.
Tensor Clone(Context& context, const Tensor& tensor);

// Overwrites the elements of `target`; both contiguous, same shape and dtype.
void CopyInto(Context& context, const Tensor& target, const Tensor& source);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_COPY_H_
