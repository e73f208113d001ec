// Memory of a GPU, and host memory that it reaches by itself. For CUDA builds only.
#ifndef BITGATE_RUNTIME_DEVICE_CUDA_MEMORY_H_
#define BITGATE_RUNTIME_DEVICE_CUDA_MEMORY_H_

#include <memory>

#include "runtime/device/allocator.h"

namespace bitgate {
namespace cuda {

std::unique_ptr<MemorySource> DeviceMemory(int index);
std::unique_ptr<MemorySource> PinnedMemory();

// While one lives, asking for memory from the calling thread throws NotCapturable.
class RefuseMemory {
 public:
  RefuseMemory();
  ~RefuseMemory();
  RefuseMemory(const RefuseMemory&) = delete;
  RefuseMemory& operator=(const RefuseMemory&) = delete;
};

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_CUDA_MEMORY_H_
