// The structs by which array libraries hand memory to one another (DLPack, https://dmlc.github.io/dlpack): the binary
// interface alone, of versions 0 and 1.
#ifndef BITGATE_API_PYTHON_BINDINGS_DLPACK_ABI_H_
#define BITGATE_API_PYTHON_BINDINGS_DLPACK_ABI_H_

#include <cstdint>

namespace bitgate::dlpack {

inline constexpr int32_t kCpu = 1, kCuda = 2;
inline constexpr uint8_t kInt = 0, kUInt = 1, kFloat = 2;
inline constexpr uint64_t kReadOnly = 1;  // a flag
inline constexpr uint32_t kMajorVersion = 1, kMinorVersion = 0;

struct Device {
  int32_t type;
  int32_t id;
};

struct DataType {
  uint8_t code;
  uint8_t bits;
  uint16_t lanes;
};

struct Array {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t* shape;
  int64_t* strides;  // in elements; null: row-major
  uint64_t byte_offset;
};

// A capsule "dltensor"; "used_dltensor" once taken.
struct Managed {
  Array array;
  void* manager;
  void (*deleter)(Managed* self);
};

// A capsule "dltensor_versioned"; "used_dltensor_versioned" once taken.
struct ManagedVersioned {
  uint32_t major, minor;
  void* manager;
  void (*deleter)(ManagedVersioned* self);
  uint64_t flags;
  Array array;
};

}  // namespace bitgate::dlpack

#endif  // BITGATE_API_PYTHON_BINDINGS_DLPACK_ABI_H_
