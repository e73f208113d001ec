// Sums over a warp, a block and a grid, in an order that sizes alone decide. For .cu files only.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_REDUCE_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_REDUCE_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "runtime/base/math.h"

namespace bitgate {
namespace cuda {

constexpr int kWarp = 32;
constexpr int kCounters = 1024;

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

// ---- a warp: all of its threads call these ----

// The value of the thread `lanes` further, or nearer. A type of several numbers has an overload of its own.
template <class T>
__device__ T FromLane(T value, int lanes) {
  return __shfl_xor_sync(0xffffffffu, value, lanes);
}

// Combines the values of each `width` neighbours (a power of two up to 32), the same in all of them. `combine` is
// commutative to the last bit.
template <class T, class Combine>
__device__ T CombineNeighbours(T value, int width, Combine combine) {
  for (int lanes = width / 2; lanes > 0; lanes /= 2) value = combine(value, FromLane(value, lanes));
  return value;
}

__device__ inline double NeighbourSum(double value, int width) { return CombineNeighbours(value, width, Plus()); }

__device__ inline double WarpSum(double value) { return NeighbourSum(value, kWarp); }

// The sum of an array, in every thread of the warp.
__device__ inline double WarpSumOf(const double* values, int64_t count) {
  constexpr int kAtOnce = 8;  // loads under way in each thread
  double sum = 0;
  int64_t i = threadIdx.x % kWarp;
  for (; i + (kAtOnce - 1) * kWarp < count; i += kAtOnce * kWarp) {
    double loaded[kAtOnce];
    BG_UNROLL
    for (int j = 0; j < kAtOnce; ++j) loaded[j] = values[i + j * kWarp];
    BG_UNROLL
    for (int j = 0; j < kAtOnce; ++j) sum += loaded[j];
  }
  for (; i < count; i += kWarp) sum += values[i];
  return WarpSum(sum);
}

// ---- a block of kThreads: all of its threads call these ----

// Combines a value of each thread, all of them getting the result: of a warp's threads where kWarps is 1, else of the
// block's, which has kWarps warps and a barrier behind it.
template <int kWarps, class T, class Combine>
__device__ T CombineWarps(T value, Combine combine) {
  value = CombineNeighbours(value, kWarp, combine);
  if (kWarps == 1) return value;
  __shared__ T of_warp[kWarps];
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = of_warp[0];
  for (int w = 1; w < kWarps; ++w) value = combine(value, of_warp[w]);
  __syncthreads();
  return value;
}

// write(k, sum) with the sum over the block of sums[k], once for each k, in some thread.
template <int kThreads, int kSums, class T, class Write>
__device__ void BlockSums(const T (&sums)[kSums], T (*shared)[kThreads], const Write& write) {
  for (int k = 0; k < kSums; ++k) shared[k][threadIdx.x] = sums[k];
  __syncthreads();
  const int lane = threadIdx.x % kWarp;
  for (int k = threadIdx.x / kWarp; k < kSums; k += kThreads / kWarp) {
    double sum = 0;
    BG_UNROLL
    for (int i = 0; i < kThreads / kWarp; ++i) sum += static_cast<double>(shared[k][lane + i * kWarp]);
    sum = WarpSum(sum);
    if (lane == 0) write(k, sum);
  }
}

// ---- a grid ----

// For LastBlock. Zero when the program starts and after every use. All kernels of a GPU run in one stream, one after
// another (runtime/device/cuda_backend.cu), so they share these; zeroing scratch memory instead would cost a launch.
__device__ inline unsigned* Counters() {
  static __device__ unsigned counters[kCounters];
  return counters;
}

// Called by all threads of each of `blocks` blocks, once: true in the last block to come, which then sees all that the
// others have written to global memory before.
__device__ inline bool LastBlock(unsigned* counter, unsigned blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) {
    last = atomicAdd(counter, 1u) == blocks - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  __threadfence();
  return last;
}

// For the end of a kernel of one-dimensional blocks of kWarps warps, all of whose threads call it once. In the last
// block that comes here it is true and *sum the sum of all values of the grid, for each thread; and what any thread of
// the grid wrote before is seen. partial: one element per block.
template <int kWarps, class T>
__device__ bool SumOverGrid(T value, T* partial, T* sum) {
  value = CombineWarps<kWarps>(value, Plus());
  if (threadIdx.x == 0) partial[blockIdx.x] = value;
  if (!LastBlock(Counters(), gridDim.x)) return false;
  value = 0;
  for (unsigned b = threadIdx.x; b < gridDim.x; b += kWarp * kWarps) value += partial[b];
  *sum = CombineWarps<kWarps>(value, Plus());
  return true;
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_REDUCE_H_
