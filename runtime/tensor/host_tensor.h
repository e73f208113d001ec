// Float32 tensors in host memory, as files hold them.
#ifndef BITGATE_RUNTIME_TENSOR_HOST_TENSOR_H_
#define BITGATE_RUNTIME_TENSOR_HOST_TENSOR_H_

#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Takes the values, as many as the shape has elements.
Tensor HostTensor(std::vector<float> values, const Shape& shape);

// A copy of a float32 tensor that lies on the context's device or in host memory.
Tensor HostCopy(Context& context, const Tensor& tensor);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_HOST_TENSOR_H_
