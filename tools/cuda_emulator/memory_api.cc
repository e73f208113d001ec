// The run-time library's functions on memory: allocation, copies, fills.
#include <cstring>
#include <memory>
#include <vector>

#include "tools/cuda_emulator/graph.h"
#include "tools/cuda_emulator/memory.h"
#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

using cuda_emulator::Call;
using cuda_emulator::DeviceMemory;
using cuda_emulator::PinnedMemory;
using cuda_emulator::RefuseWhileCapturing;
using cuda_emulator::Stream;
using cuda_emulator::Streams;

namespace {

enum class Place { kDevice, kPinned, kPageable, kInvalid };

Place PlaceOf(const void* address, size_t bytes) {
  if (address == nullptr) return Place::kInvalid;
  if (DeviceMemory::Get().Owns(address)) {
    return DeviceMemory::Get().Contains(address, bytes) ? Place::kDevice : Place::kInvalid;
  }
  return PinnedMemory::Get().Contains(address) ? Place::kPinned : Place::kPageable;
}

bool KindFits(cudaMemcpyKind kind, Place target, Place source) {
  if (target == Place::kInvalid || source == Place::kInvalid) return false;
  const bool to_device = target == Place::kDevice, from_device = source == Place::kDevice;
  switch (kind) {
    case cudaMemcpyHostToHost:
      return !to_device && !from_device;
    case cudaMemcpyHostToDevice:
      return to_device && !from_device;
    case cudaMemcpyDeviceToHost:
      return !to_device && from_device;
    case cudaMemcpyDeviceToDevice:
      return to_device && from_device;
    case cudaMemcpyDefault:
      return true;
  }
  return false;
}

// When the operation runs: a replayed graph may come to memory that has been freed.
bool StillThere(const void* address, size_t bytes, const char* what) {
  if (PlaceOf(address, bytes) != Place::kInvalid) return true;
  cuda_emulator::Complain("%s: device memory at %p has been freed", what, address);
  cuda_emulator::Ruin(cudaErrorIllegalAddress);
  return false;
}

cudaError_t CopyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind, cudaStream_t handle) {
  const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
  if (stream == nullptr || stream->device() != cuda_emulator::CurrentDevice()) return cudaErrorInvalidResourceHandle;
  if (bytes == 0) return cudaSuccess;
  const Place to = PlaceOf(target, bytes), from = PlaceOf(source, bytes);
  if (!KindFits(kind, to, from)) return cudaErrorInvalidValue;
  const bool pageable = to == Place::kPageable || from == Place::kPageable;
  if (pageable && stream->captured()) {
    return Spoil(*stream->membership.capture, cudaErrorStreamCaptureUnsupported);
  }
  if (from == Place::kPageable) {
    // Staged at once: the caller may reuse its memory.
    auto staged = std::make_shared<std::vector<char>>(bytes);
    std::memcpy(staged->data(), source, bytes);
    const cudaError_t error = cuda_emulator::Enqueue(handle, [target, staged] {
      if (StillThere(target, staged->size(), "cudaMemcpyAsync")) {
        std::memcpy(target, staged->data(), staged->size());
      }
    });
    if (error != cudaSuccess || to == Place::kDevice) return error;
  } else {
    const cudaError_t error = cuda_emulator::Enqueue(handle, [target, source, bytes] {
      if (StillThere(target, bytes, "cudaMemcpyAsync") && StillThere(source, bytes, "cudaMemcpyAsync")) {
        std::memmove(target, source, bytes);
      }
    });
    if (error != cudaSuccess) return error;
  }
  if (to == Place::kPageable) stream->RunUntil(stream->end());
  return cudaSuccess;
}

cudaError_t FillAsync(void* target, int value, size_t bytes, cudaStream_t handle) {
  if (bytes == 0) return cudaSuccess;
  const Place place = PlaceOf(target, bytes);
  if (place != Place::kDevice && place != Place::kPinned) return cudaErrorInvalidValue;
  return cuda_emulator::Enqueue(handle, [target, value, bytes] {
    if (StillThere(target, bytes, "cudaMemsetAsync")) std::memset(target, value, bytes);
  });
}

// Runs `queue`, which enqueues on the null stream, and waits for it.
template <class Queue>
cudaError_t AndWait(const Queue& queue) {
  cudaError_t error = RefuseWhileCapturing();
  if (error == cudaSuccess) error = queue();
  if (error != cudaSuccess) return error;
  const std::shared_ptr<Stream> stream = Streams::Get().Find(nullptr);
  stream->RunUntil(stream->end());
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaMalloc(void** pointer, size_t bytes) {
  return Call([&] {
    const cudaError_t refused = RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    return DeviceMemory::Get().Allocate(bytes, cuda_emulator::CurrentDevice(), pointer);
  });
}

cudaError_t cudaFree(void* pointer) {
  return Call([&] {
    const cudaError_t refused = RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    if (pointer == nullptr) return cudaSuccess;
    Streams::Get().RunAll();
    return DeviceMemory::Get().Free(pointer);
  });
}

cudaError_t cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
  return Call([&] {
    const cudaError_t refused = RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    *pointer = bytes == 0 ? nullptr : PinnedMemory::Get().Allocate(bytes);
    return *pointer == nullptr && bytes != 0 ? cudaErrorMemoryAllocation : cudaSuccess;
  });
}

cudaError_t cudaMallocHost(void** pointer, size_t bytes) { return cudaHostAlloc(pointer, bytes, cudaHostAllocDefault); }

cudaError_t cudaFreeHost(void* pointer) {
  return Call([&] {
    const cudaError_t refused = RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    if (pointer == nullptr) return cudaSuccess;
    Streams::Get().RunAll();
    return PinnedMemory::Get().Free(pointer) ? cudaSuccess : cudaErrorInvalidValue;
  });
}

cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  return Call([&] {
    *total_bytes = DeviceMemory::Get().capacity();
    const size_t used = DeviceMemory::Get().used(cuda_emulator::CurrentDevice());
    *free_bytes = used < *total_bytes ? *total_bytes - used : 0;
    return cudaSuccess;
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  return Call([&] {
    *attributes = {};
    attributes->device = cuda_emulator::CurrentDevice();
    attributes->type = cudaMemoryTypeUnregistered;
    void* address = const_cast<void*>(pointer);
    if (const cuda_emulator::Allocation* allocation = DeviceMemory::Get().Find(pointer)) {
      attributes->type = cudaMemoryTypeDevice;
      attributes->device = allocation->device;
      attributes->devicePointer = address;
    } else if (PinnedMemory::Get().Contains(pointer)) {
      attributes->type = cudaMemoryTypeHost;
      attributes->devicePointer = address;
      attributes->hostPointer = address;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return Call([&] { return CopyAsync(target, source, bytes, kind, stream); });
}

cudaError_t cudaMemsetAsync(void* target, int value, size_t bytes, cudaStream_t stream) {
  return Call([&] { return FillAsync(target, value, bytes, stream); });
}

cudaError_t cudaMemcpy(void* target, const void* source, size_t bytes, cudaMemcpyKind kind) {
  return Call([&] { return AndWait([&] { return CopyAsync(target, source, bytes, kind, nullptr); }); });
}

cudaError_t cudaMemset(void* target, int value, size_t bytes) {
  return Call([&] { return AndWait([&] { return FillAsync(target, value, bytes, nullptr); }); });
}
