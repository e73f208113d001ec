// CUDA's loop drivers, the twins of runtime/kernel/map.h. For .cu files only.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_MAP_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_MAP_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "runtime/device/cuda_check.h"
#include "runtime/device/device.h"

namespace bitgate {
namespace cuda {

constexpr int kMapThreads = 256;
constexpr int64_t kReduceBlock = 4096;  // elements one thread block sums: fixed, so that sums are reproducible

inline cudaStream_t CudaStream(const Stream& stream) { return static_cast<cudaStream_t>(stream.handle); }

// ---- kernels ----

template <class F, class... Inputs>
__global__ void MapKernel(int64_t size, F f, float* y, const Inputs*... x) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < size; i += stride) {
    y[i] = f(i, x[i]...);
  }
}

// Each thread block handles kReduceBlock elements of one row (blockIdx.y) and writes kSums partial sums.
template <int kSums, class F, class... Inputs>
__global__ void MapReduceKernel(int64_t elements, F f, float* partial, float* y, const Inputs*... x) {
  __shared__ float shared[kSums][kMapThreads];
  const int64_t row = blockIdx.y;
  const int64_t begin = blockIdx.x * kReduceBlock;
  const int64_t end = begin + kReduceBlock < elements ? begin + kReduceBlock : elements;
  float sums[kSums] = {};
  for (int64_t i = begin + threadIdx.x; i < end; i += kMapThreads) {
    y[row * elements + i] = f(row, sums, x[row * elements + i]...);
  }
  for (int k = 0; k < kSums; ++k) shared[k][threadIdx.x] = sums[k];
  __syncthreads();
  for (int half = kMapThreads / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      for (int k = 0; k < kSums; ++k) shared[k][threadIdx.x] += shared[k][threadIdx.x + half];
    }
    __syncthreads();
  }
  if (threadIdx.x < kSums) {
    partial[(row * gridDim.x + blockIdx.x) * kSums + threadIdx.x] = shared[threadIdx.x][0];
  }
}

// ---- launchers ----

// y[i] = f(i, x0[i], ...)
template <class F, class... Inputs>
void LaunchMap(const Stream& stream, int64_t size, F f, float* y, const Inputs*... x) {
  if (size == 0) return;
  const int64_t blocks = (size + kMapThreads - 1) / kMapThreads;
  const int grid = static_cast<int>(blocks < 65535 ? blocks : 65535);
  MapKernel<<<grid, kMapThreads, 0, CudaStream(stream)>>>(size, f, y, x...);
  BG_CHECK_CUDA(cudaGetLastError());
}

inline int64_t ReduceBlocksPerRow(int64_t elements) { return (elements + kReduceBlock - 1) / kReduceBlock; }

// y[r, i] = f(r, sums, x0[r, i], ...), f adding to sums[kSums]; partial[rows, ReduceBlocksPerRow(elements), kSums]
// receives the sums of each block. rows <= 65535.
template <int kSums, class F, class... Inputs>
void LaunchMapReduce(const Stream& stream, int64_t rows, int64_t elements, F f, float* partial, float* y,
                     const Inputs*... x) {
  if (rows == 0 || elements == 0) return;
  const dim3 grid(static_cast<unsigned>(ReduceBlocksPerRow(elements)), static_cast<unsigned>(rows));
  MapReduceKernel<kSums><<<grid, kMapThreads, 0, CudaStream(stream)>>>(elements, f, partial, y, x...);
  BG_CHECK_CUDA(cudaGetLastError());
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_MAP_H_
