#include <string>

#include "runtime/device/cuda_check.h"
#include "runtime/device/cuda_memory.h"

namespace bitgate {
namespace cuda {
namespace {

thread_local int refusals = 0;

// Running out is reported by the pool: here it is null.
void* Acquired(cudaError_t status, void* block) {
  if (status != cudaErrorMemoryAllocation) {
    BG_CHECK_CUDA(status);
    return block;
  }
  cudaGetLastError();  // it must not stick to the next call
  return nullptr;
}

void CheckAllowed(size_t bytes) {
  if (refusals > 0) throw NotCapturable("a step that needs another " + std::to_string(bytes) + " bytes of memory");
}

class DeviceMemorySource : public MemorySource {
 public:
  explicit DeviceMemorySource(int index) : index_(index) {}
  Device device() const override { return {DeviceType::kCuda, index_}; }
  void* Acquire(size_t bytes) override {
    CheckAllowed(bytes);
    BG_CHECK_CUDA(cudaSetDevice(index_));
    void* block = nullptr;
    const cudaError_t status = cudaMalloc(&block, bytes);
    return Acquired(status, block);
  }
  void Release(void* block) noexcept override { cudaFree(block); }
  int64_t FreeBytes() noexcept override {
    size_t free = 0, total = 0;
    return cudaMemGetInfo(&free, &total) == cudaSuccess ? static_cast<int64_t>(free) : -1;
  }

 private:
  int index_;
};

class PinnedMemorySource : public MemorySource {
 public:
  Device device() const override { return {}; }
  void* Acquire(size_t bytes) override {
    CheckAllowed(bytes);
    void* block = nullptr;
    const cudaError_t status = cudaHostAlloc(&block, bytes, cudaHostAllocPortable);
    return Acquired(status, block);
  }
  void Release(void* block) noexcept override { cudaFreeHost(block); }
};

}  // namespace

std::unique_ptr<MemorySource> DeviceMemory(int index) {
  return std::unique_ptr<MemorySource>(new DeviceMemorySource(index));
}

std::unique_ptr<MemorySource> PinnedMemory() { return std::unique_ptr<MemorySource>(new PinnedMemorySource); }

RefuseMemory::RefuseMemory() { ++refusals; }
RefuseMemory::~RefuseMemory() { --refusals; }

}  // namespace cuda
}  // namespace bitgate
