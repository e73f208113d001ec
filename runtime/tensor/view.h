// What a kernel sees of a tensor: where its elements are, and its shape. Always contiguous, never owning.
#ifndef BITGATE_RUNTIME_TENSOR_VIEW_H_
#define BITGATE_RUNTIME_TENSOR_VIEW_H_

#include "runtime/tensor/dtype.h"
#include "runtime/tensor/shape.h"

namespace bitgate {

// `As<T>()` is the pointer to the elements; the caller knows the dtype (the op has checked it). Accessors are forced
// inline because kernels are compiled once per instruction set and must not share out-of-line copies.
struct ConstView {
  const void* data = nullptr;  // null for an operand that is absent
  Shape shape;
  DType dtype = DType::kFloat32;

  template <class T = float>
  [[gnu::always_inline]] const T* As() const {
    return static_cast<const T*>(data);
  }
};

struct View {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::kFloat32;

  template <class T = float>
  [[gnu::always_inline]] T* As() const {
    return static_cast<T*>(data);
  }
  operator ConstView() const { return {data, shape, dtype}; }
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_VIEW_H_
