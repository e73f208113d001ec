#include "runtime/tensor/tensor.h"

#include "runtime/base/error.h"

namespace bitgate {

Storage::Storage(std::shared_ptr<Pool> pool, size_t bytes)
    : pool_(std::move(pool)), data_(pool_->Allocate(bytes)), bytes_(bytes), device_(pool_->device()) {}

Storage::Storage(void* data, size_t bytes, Device device, std::function<void()> release)
    : data_(data), bytes_(bytes), device_(device), release_(std::move(release)) {}

Storage::~Storage() {
  if (pool_) {
    pool_->Free(data_, bytes_);
  } else if (release_) {
    release_();
  }
}

Tensor::Tensor(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype)
    : Tensor(std::move(storage), shape, dtype, ContiguousStrides(shape), 0) {}

Tensor::Tensor(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, const Strides& strides,
               int64_t offset)
    : storage_(std::move(storage)), shape_(shape), strides_(strides), offset_(offset), dtype_(dtype) {}

bool Tensor::contiguous() const {
  int64_t expected = 1;
  for (int axis = shape_.rank() - 1; axis >= 0; --axis) {
    if (shape_[axis] != 1 && strides_[axis] != expected) return shape_.size() == 0;
    expected *= shape_[axis];
  }
  return true;
}

void* Tensor::raw_data() const {
  return static_cast<std::byte*>(storage_->data()) + offset_ * static_cast<int64_t>(SizeOf(dtype_));
}

View Tensor::view() const {
  if (!defined()) return {};
  if (!contiguous()) throw InvalidArgument("tensor: expected a contiguous tensor, got strides over shape ", shape_);
  return {raw_data(), shape_, dtype_};
}

Tensor Tensor::Detached() const {
  Tensor copy = *this;
  copy.gradient_id_ = kNoGradient;
  return copy;
}

void Tensor::CheckDType(DType expected) const {
  if (!defined()) throw InvalidArgument("tensor: expected a defined tensor, got an undefined one");
  if (dtype_ != expected) {
    throw InvalidArgument("tensor: expected dtype ", ToString(expected), ", got ", ToString(dtype_));
  }
}

Tensor::Strides ContiguousStrides(const Shape& shape) {
  Tensor::Strides strides{};
  int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[axis] = stride;
    stride *= shape[axis];
  }
  return strides;
}

Tensor ReshapeView(const Tensor& tensor, const Shape& shape) {
  if (shape.size() != tensor.size()) {
    throw InvalidArgument("reshape: expected ", tensor.size(), " elements as in ", tensor.shape(), ", got ", shape);
  }
  if (!tensor.contiguous()) throw InvalidArgument("reshape: expected a contiguous tensor of shape ", tensor.shape());
  return Tensor(tensor.storage(), shape, tensor.dtype(), ContiguousStrides(shape), tensor.offset());
}

Tensor SliceView(const Tensor& tensor, int axis, int64_t begin, int64_t end) {
  if (axis < 0 || axis >= tensor.shape().rank()) {
    throw InvalidArgument("slice: expected an axis of shape ", tensor.shape(), ", got ", axis);
  }
  if (begin < 0 || begin > end || end > tensor.shape()[axis]) {
    throw InvalidArgument("slice: expected 0 <= begin <= end <= ", tensor.shape()[axis], ", got [", begin, ", ", end,
                          ")");
  }
  std::vector<int64_t> dimensions(tensor.shape().begin(), tensor.shape().end());
  dimensions[axis] = end - begin;
  return Tensor(tensor.storage(), Shape(dimensions), tensor.dtype(), tensor.strides(),
                tensor.offset() + begin * tensor.strides()[axis]);
}

Tensor PermuteView(const Tensor& tensor, const std::vector<int>& order) {
  const int rank = tensor.shape().rank();
  if (static_cast<int>(order.size()) != rank) {
    throw InvalidArgument("permute: expected ", rank, " axes, got ", order.size());
  }
  std::vector<int64_t> dimensions(rank);
  Tensor::Strides strides{};
  unsigned seen = 0;
  for (int i = 0; i < rank; ++i) {
    if (order[i] < 0 || order[i] >= rank || (seen >> order[i] & 1)) {
      throw InvalidArgument("permute: expected each axis of ", tensor.shape(), " once, got ", order[i]);
    }
    seen |= 1u << order[i];
    dimensions[i] = tensor.shape()[order[i]];
    strides[i] = tensor.strides()[order[i]];
  }
  return Tensor(tensor.storage(), Shape(dimensions), tensor.dtype(), strides, tensor.offset());
}

Tensor BorrowTensor(void* data, const Shape& shape, DType dtype, Device device, std::function<void()> release) {
  const size_t bytes = static_cast<size_t>(shape.size()) * SizeOf(dtype);
  return Tensor(std::make_shared<Storage>(data, bytes, device, std::move(release)), shape, dtype);
}

}  // namespace bitgate
