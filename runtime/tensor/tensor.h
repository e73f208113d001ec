// A tensor: a cheap handle to shared storage with a shape, strides and a dtype.
//
// Copying a Tensor copies the handle. Arithmetic lives in ops/; this file knows memory and views only. The gradient id
// ties a value to the tape that recorded it (runtime/autograd/tape.h); views made here do not carry it.
#ifndef BITGATE_RUNTIME_TENSOR_TENSOR_H_
#define BITGATE_RUNTIME_TENSOR_TENSOR_H_

#include <array>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/device/allocator.h"
#include "runtime/device/device.h"
#include "runtime/tensor/dtype.h"
#include "runtime/tensor/shape.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// A block of device memory that returns to its pool, or to whoever lent it, with its last handle.
class Storage {
 public:
  Storage(std::shared_ptr<Pool> pool, size_t bytes);
  // Borrowed memory; `release` (may be empty) runs when the last handle goes.
  Storage(void* data, size_t bytes, Device device, std::function<void()> release);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

 private:
  std::shared_ptr<Pool> pool_;
  void* data_;
  size_t bytes_;
  Device device_;
  std::function<void()> release_;
};

class Tensor {
 public:
  using Strides = std::array<int64_t, Shape::kMaxRank>;  // in elements
  static constexpr int64_t kNoGradient = -1;

  Tensor() = default;  // undefined: an absent operand
  // A contiguous tensor at the start of `storage`, which must be large enough.
  Tensor(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype);
  Tensor(std::shared_ptr<Storage> storage, const Shape& shape, DType dtype, const Strides& strides, int64_t offset);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int64_t size() const { return shape_.size(); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_->device(); }
  const Strides& strides() const { return strides_; }
  int64_t offset() const { return offset_; }
  const std::shared_ptr<Storage>& storage() const { return storage_; }
  // Row-major without gaps.
  bool contiguous() const;

  // The elements. Throws InvalidArgument when T is not the dtype. On CUDA this is a device pointer.
  template <class T>
  T* data() const {
    CheckDType(DTypeOf<T>);
    return static_cast<T*>(raw_data());
  }
  void* raw_data() const;

  // For kernels. Throws InvalidArgument unless contiguous. An undefined tensor gives a view with null data.
  View view() const;

  int64_t gradient_id() const { return gradient_id_; }
  void set_gradient_id(int64_t id) { gradient_id_ = id; }
  // The same value cut off from the tape.
  Tensor Detached() const;

 private:
  void CheckDType(DType expected) const;

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  Strides strides_{};
  int64_t offset_ = 0;
  DType dtype_ = DType::kFloat32;
  int64_t gradient_id_ = kNoGradient;
};

Tensor::Strides ContiguousStrides(const Shape& shape);

// Views: they share storage. All throw InvalidArgument, naming the shapes, when the request does not fit.
// `shape` must have as many elements; the tensor must be contiguous.
Tensor ReshapeView(const Tensor& tensor, const Shape& shape);
// Elements [begin, end) along `axis`.
Tensor SliceView(const Tensor& tensor, int axis, int64_t begin, int64_t end);
// Axis i of the result is axis order[i] of `tensor`.
Tensor PermuteView(const Tensor& tensor, const std::vector<int>& order);

// Wraps caller memory of a contiguous tensor; it must outlive every handle, or be kept alive by `release`.
Tensor BorrowTensor(void* data, const Shape& shape, DType dtype, Device device, std::function<void()> release = {});

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_TENSOR_H_
