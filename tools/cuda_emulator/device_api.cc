// The run-time library's functions on devices, versions and errors.
#include <cstdio>

#include "tools/cuda_emulator/executor.h"
#include "tools/cuda_emulator/graph.h"
#include "tools/cuda_emulator/memory.h"
#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

using cuda_emulator::Call;
using cuda_emulator::Setting;
using cuda_emulator::Streams;

namespace {

constexpr int kMajor = 9, kMinor = 0;  // sm_90
constexpr int kThreadsPerMultiprocessor = 2048;
constexpr int kSharedBytes = 48 * 1024;
constexpr int kRegisters = 65536;
constexpr int kMaxGridX = 2147483647, kMaxGridYz = 65535;

bool Exists(int device) {
  int count = 0;
  return cuda_emulator::CountDevices(&count) == cudaSuccess && device >= 0 && device < count;
}

// Of those that host code can ask for in earnest; -1 for the others.
int Attribute(cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
    case cudaDevAttrMaxBlockDimX:
    case cudaDevAttrMaxBlockDimY:
      return cuda_emulator::kMaxThreads;
    case cudaDevAttrMaxBlockDimZ:
      return 64;
    case cudaDevAttrMaxGridDimX:
      return kMaxGridX;
    case cudaDevAttrMaxGridDimY:
    case cudaDevAttrMaxGridDimZ:
      return kMaxGridYz;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return kSharedBytes;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return 227 * 1024;
    case cudaDevAttrWarpSize:
      return 32;
    case cudaDevAttrMaxRegistersPerBlock:
    case cudaDevAttrMaxRegistersPerMultiprocessor:
      return kRegisters;
    case cudaDevAttrMultiProcessorCount:
      return cuda_emulator::kMultiprocessors;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return kThreadsPerMultiprocessor;
    case cudaDevAttrMaxBlocksPerMultiprocessor:
      return 32;
    case cudaDevAttrComputeCapabilityMajor:
      return kMajor;
    case cudaDevAttrComputeCapabilityMinor:
      return kMinor;
    case cudaDevAttrL2CacheSize:
      return 50 << 20;
    case cudaDevAttrClockRate:
      return 1980000;
    case cudaDevAttrMemoryClockRate:
      return 2619000;
    case cudaDevAttrGlobalMemoryBusWidth:
      return 5120;
    case cudaDevAttrAsyncEngineCount:
      return 3;
    case cudaDevAttrTextureAlignment:
      return 512;
    case cudaDevAttrConcurrentKernels:
    case cudaDevAttrUnifiedAddressing:
    case cudaDevAttrCanMapHostMemory:
      return 1;
    case cudaDevAttrComputeMode:
    case cudaDevAttrIntegrated:
    case cudaDevAttrEccEnabled:
    case cudaDevAttrManagedMemory:
    case cudaDevAttrConcurrentManagedAccess:
    case cudaDevAttrPageableMemoryAccess:
    case cudaDevAttrMemoryPoolsSupported:
    case cudaDevAttrCooperativeLaunch:
      return 0;
    default:
      return -1;
  }
}

}  // namespace

cudaError_t cudaGetDeviceCount(int* count) {
  return Call([&] { return cuda_emulator::CountDevices(count); });
}

cudaError_t cudaSetDevice(int device) {
  return Call([&] {
    if (!Exists(device)) return cudaErrorInvalidDevice;
    cuda_emulator::SetCurrentDevice(device);
    return cudaSuccess;
  });
}

cudaError_t cudaGetDevice(int* device) {
  return Call([&] {
    *device = cuda_emulator::CurrentDevice();
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  return Call([&] {
    if (!Exists(device)) return cudaErrorInvalidDevice;
    *value = Attribute(attribute);
    return *value < 0 ? cudaErrorInvalidValue : cudaSuccess;
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  return Call([&] {
    if (!Exists(device)) return cudaErrorInvalidDevice;
    *properties = {};
    std::snprintf(properties->name, sizeof(properties->name), "Bitgate CUDA emulator");
    properties->totalGlobalMem = cuda_emulator::DeviceMemory::Get().capacity();
    properties->sharedMemPerBlock = kSharedBytes;
    properties->regsPerBlock = kRegisters;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = cuda_emulator::kMaxThreads;
    for (int i = 0; i < 3; ++i) {
      properties->maxThreadsDim[i] = i < 2 ? cuda_emulator::kMaxThreads : 64;
      properties->maxGridSize[i] = i == 0 ? kMaxGridX : kMaxGridYz;
    }
    properties->major = kMajor;
    properties->minor = kMinor;
    properties->multiProcessorCount = cuda_emulator::kMultiprocessors;
    properties->maxThreadsPerMultiProcessor = kThreadsPerMultiprocessor;
    properties->concurrentKernels = 1;
    properties->asyncEngineCount = 3;
    properties->unifiedAddressing = 1;
    properties->canMapHostMemory = 1;
    properties->l2CacheSize = 50 << 20;
    properties->memoryBusWidth = 5120;
    properties->pciBusID = device;
    return cudaSuccess;
  });
}

cudaError_t cudaDeviceGetPCIBusId(char* id, int length, int device) {
  return Call([&] {
    if (!Exists(device)) return cudaErrorInvalidDevice;
    std::snprintf(id, static_cast<size_t>(length), "0000:%02x:00.0", device);
    return cudaSuccess;
  });
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = static_cast<int>(Setting("BITGATE_EMULATED_DRIVER", cuda_emulator::kDriverVersion));
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize() {
  return Call([] {
    const cudaError_t refused = cuda_emulator::RefuseWhileCapturing(/*any_thread=*/true);
    if (refused == cudaSuccess) Streams::Get().RunAll(cuda_emulator::CurrentDevice());
    return refused;
  });
}

// Also of other devices, which CUDA leaves alone. Handles of before must not be used again.
cudaError_t cudaDeviceReset() {
  std::lock_guard<std::recursive_mutex> lock(cuda_emulator::Lock());
  Streams::Get().RunAll();
  Streams::Get().Forget();
  cuda_emulator::ForgetCaptures();
  cuda_emulator::DeviceMemory::Get().FreeAll();
  cuda_emulator::Repair();
  return cudaSuccess;
}

cudaError_t cudaGetLastError() {
  std::lock_guard<std::recursive_mutex> lock(cuda_emulator::Lock());
  return cuda_emulator::LastError(/*forget=*/true);
}

cudaError_t cudaPeekAtLastError() {
  std::lock_guard<std::recursive_mutex> lock(cuda_emulator::Lock());
  return cuda_emulator::LastError(/*forget=*/false);
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* function) {
  return Call([&] {
    if (function == nullptr) return cudaErrorInvalidDeviceFunction;
    if (Setting("BITGATE_EMULATED_NO_KERNEL_IMAGE", 0) != 0) return cudaErrorNoKernelImageForDevice;
    *attributes = {};
    attributes->maxThreadsPerBlock = cuda_emulator::kMaxThreads;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = kMajor * 10 + kMinor;
    return cudaSuccess;
  });
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* function, int threads, size_t) {
  return Call([&] {
    if (function == nullptr || threads <= 0 || threads > cuda_emulator::kMaxThreads) return cudaErrorInvalidValue;
    *blocks = kThreadsPerMultiprocessor / ((threads + 31) / 32 * 32);
    if (*blocks > 32) *blocks = 32;
    return cudaSuccess;
  });
}
