// The one way a CUDA kernel is launched. For .cu files only.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_LAUNCH_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_LAUNCH_H_

#include <cuda_runtime.h>

#include <utility>

#include "runtime/device/cuda_check.h"
#include "runtime/device/device.h"

namespace bitgate {
namespace cuda {

inline cudaStream_t CudaStream(const Stream& stream) { return static_cast<cudaStream_t>(stream.handle); }

// Queues kernel(arguments...) on `stream`: grid blocks of `threads` threads. The arguments are converted to the
// kernel's own parameter types and passed by value.
template <class... Parameters, class... Arguments>
void Launch(const Stream& stream, dim3 grid, int threads, void (*kernel)(Parameters...), Arguments&&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = dim3(static_cast<unsigned>(threads));
  config.stream = CudaStream(stream);
  BG_CHECK_CUDA(cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...));
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_LAUNCH_H_
