#include "runtime/tensor/host_tensor.h"

#include <memory>
#include <utility>

#include "runtime/tensor/copy.h"

namespace bitgate {

Tensor HostTensor(std::vector<float> values, const Shape& shape) {
  const auto owned = std::make_shared<std::vector<float>>(std::move(values));
  return BorrowTensor(owned->data(), shape, DType::kFloat32, Device{}, [owned] {});
}

Tensor HostCopy(Context& context, const Tensor& tensor) {
  if (tensor.device() == context.device()) return HostTensor(ToHost<float>(context, tensor), tensor.shape());
  const float* data = static_cast<const float*>(tensor.view().data);
  return HostTensor(std::vector<float>(data, data + tensor.size()), tensor.shape());
}

}  // namespace bitgate
