// Sums over the threads of a block and of a whole grid in one launch, in an order that sizes alone decide. For .cu
// files only.
#ifndef BITGATE_OPS_CUDA_GRID_SUM_H_
#define BITGATE_OPS_CUDA_GRID_SUM_H_

#include <cuda_runtime.h>

#include "runtime/kernel/cuda_reduce.h"

namespace bitgate {
namespace cuda {

struct Plus {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};

// Combines a value of each thread, all of them getting the result: of a warp's threads where kWarps is 1, else of the
// block's, which has kWarps warps. `combine` is commutative to the last bit. All the threads must come here; those of a
// block have passed a barrier behind it.
template <int kWarps, class T, class Combine>
__device__ T CombineWarps(T value, Combine combine) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) value = combine(value, __shfl_xor_sync(0xffffffffu, value, lanes));
  if (kWarps == 1) return value;
  __shared__ T of_warp[kWarps];
  if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = value;
  __syncthreads();
  value = of_warp[0];
  for (int w = 1; w < kWarps; ++w) value = combine(value, of_warp[w]);
  __syncthreads();
  return value;
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

#endif  // BITGATE_OPS_CUDA_GRID_SUM_H_
