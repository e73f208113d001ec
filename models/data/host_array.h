// An array of plain values in memory of a pool: pinned, where a device is to copy from it by itself.
#ifndef BITGATE_MODELS_DATA_HOST_ARRAY_H_
#define BITGATE_MODELS_DATA_HOST_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

#include "runtime/device/allocator.h"

namespace bitgate {

// Its address is the same for as long as it lives, however its size changes within what it was made for.
template <class T>
class HostArray {
  static_assert(std::is_trivial_v<T>, "values are not constructed");

 public:
  // Empty, for `capacity` values at most.
  HostArray(std::shared_ptr<Pool> pool, int64_t capacity)
      : pool_(std::move(pool)), capacity_(static_cast<size_t>(capacity)) {
    data_ = static_cast<T*>(pool_->Allocate(capacity_ * sizeof(T)));
  }
  ~HostArray() {
    if (data_ != nullptr) pool_->Free(data_, capacity_ * sizeof(T));
  }
  HostArray(HostArray&& other) noexcept
      : pool_(std::move(other.pool_)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)),
        capacity_(std::exchange(other.capacity_, 0)) {}
  HostArray& operator=(HostArray&&) = delete;

  // New values are undefined. `size` is at most the capacity.
  void Resize(int64_t size) { size_ = static_cast<size_t>(size); }

  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](size_t i) { return data_[i]; }
  const T& operator[](size_t i) const { return data_[i]; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  std::shared_ptr<Pool> pool_;
  T* data_ = nullptr;
  size_t size_ = 0, capacity_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_HOST_ARRAY_H_
