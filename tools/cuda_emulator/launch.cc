// Launches of kernels, and what is said when the program crashes in one or follows a device pointer outside.
#include <cuda_runtime.h>
#include <signal.h>

#include <cstdio>
#include <utility>

#include "tools/cuda_emulator/executor.h"
#include "tools/cuda_emulator/memory.h"
#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

namespace cuda_emulator {
namespace {

void ExplainCrash(int signal, siginfo_t* information, void*) {
  char text[256];
  int length = 0;
  const bool device_memory = DeviceMemory::Get().Owns(information->si_addr);
  const char* whose = device_memory ? "device memory" : "memory that is none of a device";
  if (KernelIsRunning()) {
    length = std::snprintf(text, sizeof(text), "block (%u, %u, %u), thread (%u, %u, %u)", blockIdx.x, blockIdx.y,
                           blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
  } else if (DeviceMemory::Get().is_open()) {
    length = std::snprintf(text, sizeof(text), "a copy or library function");
  } else if (device_memory) {
    length = std::snprintf(text, sizeof(text), "the host");
  }
  if (length > 0) Complain("%s: access to %p, %s", text, information->si_addr, whose);
  // The instruction is repeated, and this time nobody catches the signal.
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
}

// Unless the program has a handler of its own.
void WatchForCrashes() {
  for (const int signal : {SIGSEGV, SIGBUS}) {
    struct sigaction action = {};
    if (sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_DFL) continue;
    action = {};
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    action.sa_sigaction = &ExplainCrash;
    sigaction(signal, &action, nullptr);
  }
}

[[maybe_unused]] const bool watching = (WatchForCrashes(), true);

bool IsValid(const cudaLaunchConfig_t& config) {
  const dim3 &grid = config.gridDim, &block = config.blockDim;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0) return false;
  if (grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535) return false;
  return block.x <= 1024 && block.y <= 1024 && block.z <= 64 && block.x * block.y * block.z <= 1024;
}

}  // namespace

cudaError_t LaunchKernel(const cudaLaunchConfig_t& config, std::function<void()> thread,
                         std::initializer_list<const void*> pointers) {
  return Call([&] {
    if (Setting("BITGATE_EMULATED_NO_KERNEL_IMAGE", 0) != 0) return cudaErrorNoKernelImageForDevice;
    if (!IsValid(config)) return cudaErrorInvalidConfiguration;
    if (config.dynamicSmemBytes != 0 || config.numAttrs != 0) {
      Complain("dynamic shared memory and launch attributes are not emulated");
      return cudaErrorNotSupported;
    }
    int index = 0;
    for (const void* pointer : pointers) {
      if (pointer != nullptr && !DeviceMemory::Get().Owns(pointer) && !PinnedMemory::Get().Contains(pointer)) {
        Complain("argument %d of a kernel, %p, points to pageable host memory", index, pointer);
        Ruin(cudaErrorIllegalAddress);
        return cudaErrorIllegalAddress;
      }
      ++index;
    }
    return Enqueue(config.stream, [grid = config.gridDim, block = config.blockDim, thread = std::move(thread)] {
      RunGrid(grid, block, thread);
    });
  });
}

}  // namespace cuda_emulator
