// The memory of the emulated devices, and which host memory is pinned.
//
// Device memory is a reserved range of addresses that nobody can read or write, except while an operation runs on the
// device (DeviceAccess): a host that follows a device pointer crashes. Every allocation ends at a page nobody may touch
// and addresses are not given out again until the range is used up, so that kernels crash too when they leave what is
// theirs or use what was freed.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_MEMORY_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_MEMORY_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <map>

#include "tools/cuda_emulator/state.h"

namespace cuda_emulator {

// Of new memory, every byte: NaN as float, double and bfloat16.
constexpr int kPoison = 0xff;

struct Allocation {
  char* begin = nullptr;
  size_t bytes = 0;     // asked for
  size_t reserved = 0;  // rounded up; what counts against the device's size
  char* pages = nullptr;
  size_t page_bytes = 0;
  int device = 0;
};

class DeviceMemory {
 public:
  static DeviceMemory& Get();

  // cudaErrorMemoryAllocation when the device's BITGATE_EMULATED_GPU_BYTES do not suffice.
  cudaError_t Allocate(size_t bytes, int device, void** result);
  // cudaErrorInvalidValue unless Allocate gave it out. Ruins the context when bytes just behind it have changed.
  cudaError_t Free(void* begin);
  void FreeAll();

  // Whether the address is of the reserved range, live or not.
  bool Owns(const void* address) const;
  // The live allocation that holds the address, or null.
  const Allocation* Find(const void* address) const;
  // Whether all bytes lie in one live allocation.
  bool Contains(const void* address, size_t bytes) const;

  size_t capacity() const;
  size_t used(int device) const { return used_[device]; }

  void Open();
  void Close();
  bool is_open() const { return open_ > 0; }

 private:
  DeviceMemory();
  char* Reserve(size_t bytes);
  void Protect(const Allocation& allocation, bool accessible) const;
  bool TailIsIntact(const Allocation& allocation);

  char* range_;
  char* next_;                            // where the search for a gap begins
  std::map<uintptr_t, Allocation> live_;  // by the first of its pages
  size_t used_[kMaxDevices] = {};
  int open_ = 0;
};

// While one lives, device memory can be read and written.
class DeviceAccess {
 public:
  DeviceAccess() { DeviceMemory::Get().Open(); }
  ~DeviceAccess() { DeviceMemory::Get().Close(); }
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

class PinnedMemory {
 public:
  static PinnedMemory& Get();
  void* Allocate(size_t bytes);
  bool Free(void* begin);
  bool Contains(const void* address) const;

 private:
  std::map<uintptr_t, size_t> live_;
};

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_MEMORY_H_
