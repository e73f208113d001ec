// Neighbours that a thread reads or writes at once. For .cu files only.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_PACK_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_PACK_H_

#include <cstddef>
#include <cstdint>

#include "runtime/base/math.h"

namespace bitgate {
namespace cuda {

// One access, where the address is a multiple of its size: a power of two, at most 16 bytes.
template <class T, int kCount>
struct alignas(sizeof(T) * kCount) Pack {
  T value[kCount];
};

BG_HD_INLINE bool IsAligned(const void* data, size_t bytes) { return reinterpret_cast<uintptr_t>(data) % bytes == 0; }

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_PACK_H_
