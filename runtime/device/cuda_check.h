// The one way a CUDA status is checked. Included by .cu files and sources of CUDA builds only.
#ifndef BITGATE_RUNTIME_DEVICE_CUDA_CHECK_H_
#define BITGATE_RUNTIME_DEVICE_CUDA_CHECK_H_

#include <cuda_runtime_api.h>

#include <string>

#include "runtime/base/error.h"

namespace bitgate {
namespace cuda {

// Throws NotCapturable for what a capture under way does not allow, ResourceExhausted for memory that CUDA itself or a
// library of its asked for, Internal for everything else.
inline void CheckCuda(cudaError_t status, const char* expression) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // so that it does not show up again in the next call
  const std::string text = std::string(expression) + ": " + cudaGetErrorString(status);
  if (status >= cudaErrorStreamCaptureUnsupported && status <= cudaErrorStreamCaptureWrongThread) {
    throw NotCapturable(text);
  }
  if (status == cudaErrorMemoryAllocation) throw ResourceExhausted("cuda: out of memory in ", text);
  throw Internal("cuda: ", expression, " failed: ", cudaGetErrorString(status));
}

}  // namespace cuda
}  // namespace bitgate

#define BG_CHECK_CUDA(expression) ::bitgate::cuda::CheckCuda((expression), #expression)

#endif  // BITGATE_RUNTIME_DEVICE_CUDA_CHECK_H_
