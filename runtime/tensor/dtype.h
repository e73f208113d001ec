// The element types of tensors: their sizes, names, and C++ types. Numbers are fixed, for they may be stored.
#ifndef BITGATE_RUNTIME_TENSOR_DTYPE_H_
#define BITGATE_RUNTIME_TENSOR_DTYPE_H_

#include <cstddef>
#include <cstdint>

namespace bitgate {

enum class DType : int { kFloat32 = 0, kInt32 = 1, kInt8 = 2, kUint8 = 3 };

constexpr size_t SizeOf(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kInt32 ? 4 : 1; }

constexpr const char* ToString(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return "float32";
    case DType::kInt32:
      return "int32";
    case DType::kInt8:
      return "int8";
    case DType::kUint8:
      return "uint8";
  }
  return "?";
}

// The DType of a C++ element type: DTypeOf<float> is DType::kFloat32.
template <class T>
inline constexpr DType DTypeOf = T::no_such_dtype;
template <>
inline constexpr DType DTypeOf<float> = DType::kFloat32;
template <>
inline constexpr DType DTypeOf<int32_t> = DType::kInt32;
template <>
inline constexpr DType DTypeOf<int8_t> = DType::kInt8;
template <>
inline constexpr DType DTypeOf<uint8_t> = DType::kUint8;

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_DTYPE_H_
