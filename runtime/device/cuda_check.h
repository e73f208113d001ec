// The one way a CUDA status is checked. Included by .cu files and sources of CUDA builds only.
#ifndef BITGATE_RUNTIME_DEVICE_CUDA_CHECK_H_
#define BITGATE_RUNTIME_DEVICE_CUDA_CHECK_H_

#include <cuda_runtime_api.h>

#include "runtime/base/error.h"

namespace bitgate {
namespace cuda {

inline void CheckCuda(cudaError_t status, const char* expression) {
  if (status != cudaSuccess) throw Internal("cuda: ", expression, " failed: ", cudaGetErrorString(status));
}

}  // namespace cuda
}  // namespace bitgate

#define BG_CHECK_CUDA(expression) ::bitgate::cuda::CheckCuda((expression), #expression)

#endif  // BITGATE_RUNTIME_DEVICE_CUDA_CHECK_H_
