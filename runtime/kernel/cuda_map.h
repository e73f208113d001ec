// CUDA's loop drivers, the twins of runtime/kernel/map.h. For .cu files only. Functors are called on the device; an
// output may be an input, element for element.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_MAP_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_MAP_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "runtime/device/device.h"
#include "runtime/device/kernel_context.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_reduce.h"
#include "runtime/kernel/cuda_segments.h"

namespace bitgate {
namespace cuda {

// By all threads of a block: the sums of rows from those of their segments; a warp does a row of many.
__device__ inline void SumRowParts(const Segments& s, const double* parts, float* row_sums) {
  if (s.per_row < kWarp) {
    for (int64_t row = threadIdx.x; row < s.rows; row += kMapThreads) {
      double sum = 0;
      for (int64_t i = 0; i < s.per_row; ++i) sum += parts[row * s.per_row + i];
      row_sums[row] = static_cast<float>(sum);
    }
    return;
  }
  for (int64_t row = threadIdx.x / kWarp; row < s.rows; row += kMapThreads / kWarp) {
    const double sum = WarpSumOf(parts + row * s.per_row, s.per_row);
    if (threadIdx.x % kWarp == 0) row_sums[row] = static_cast<float>(sum);
  }
}

template <int kMaxSums>
struct MapReduceScratch {
  float sums[kMaxSums][kMapThreads];
  double totals[kMaxSums];
};

// What a block does with its segments, and the last one with the sums of all: partial[k * blocks + block].
template <int kTeam, int kRowSum, int kInputs, int kMaxSums, class Prepared>
__device__ void MapReduceBlock(const Segments& segments, const Prepared& prepared, const MapArrays<kInputs>& arrays,
                               double* partial, float* row_sums, MapReduceScratch<kMaxSums>* scratch) {
  constexpr int kSums = Prepared::kSums;
  const int64_t blocks = gridDim.x;
  float sums[kSums] = {};
  ForEachSegment<kTeam>(
      segments,
      [&](const Segment& segment, int lane, int team) {
        const auto f = prepared.Row(segment.row);
        MapSegment(arrays, segment, lane, team, [&](int64_t, auto... x) { return f(sums, x...); });
      },
      [&](int64_t row, int lane, bool exists) {
        if constexpr (kRowSum >= 0) {
          if (row_sums == nullptr) return;
          const double sum = NeighbourSum(sums[kRowSum], segments.team);
          if (lane == 0 && exists) row_sums[row] = static_cast<float>(sum);
          sums[kRowSum] = 0;
        }
      });

  BlockSums<kMapThreads>(sums, scratch->sums, [&](int k, double sum) {
    partial[k * blocks + blockIdx.x] = sum;
    const bool whole_row = kTeam == kMapThreads && k == kRowSum && segments.per_row == 1;
    if (whole_row && row_sums != nullptr && blockIdx.x < segments.count) row_sums[blockIdx.x] = static_cast<float>(sum);
  });
  if (!LastBlock(Counters(), gridDim.x)) return;

  for (int k = threadIdx.x / kWarp; k < kSums; k += kMapThreads / kWarp) {
    const double sum = WarpSumOf(partial + k * blocks, blocks);
    if (threadIdx.x % kWarp == 0) scratch->totals[k] = sum;
  }
  if constexpr (kRowSum >= 0) {
    if (row_sums != nullptr && segments.per_row > 1) SumRowParts(segments, partial + kRowSum * blocks, row_sums);
  }
  __syncthreads();
  if (threadIdx.x == 0) prepared.Finish(scratch->totals);
}

// ---- kernels ----

template <class F, int kInputs>
__global__ void __launch_bounds__(kMapThreads, kMapBlocksPerSm)
    MapKernel(Segments segments, F f, MapArrays<kInputs> arrays) {
  MapSegment(arrays, SegmentOf(segments, blockIdx.x), static_cast<int>(threadIdx.x), kMapThreads, f);
}

template <int kTeam, class Op, int kInputs>
__global__ void __launch_bounds__(kMapThreads, kMapBlocksPerSm)
    MapRowsKernel(Segments segments, Op op, MapArrays<kInputs> arrays) {
  op.Prepare([&](const auto& prepared) {
    ForEachSegment<kTeam>(
        segments,
        [&](const Segment& segment, int lane, int team) {
          const auto f = prepared.Row(segment.row);
          MapSegment(arrays, segment, lane, team, [&](int64_t, auto... x) { return f(x...); });
        },
        [](int64_t, int, bool) {});
  });
}

template <int kTeam, class Op, int kInputs>
__global__ void __launch_bounds__(kMapThreads, kMapBlocksPerSm)
    MapReduceKernel(Segments segments, Op op, MapArrays<kInputs> arrays, double* partial, float* row_sums) {
  __shared__ MapReduceScratch<Op::kMaxSums> shared;
  MapReduceScratch<Op::kMaxSums>* const scratch = &shared;
  op.Prepare([&](const auto& prepared) {
    MapReduceBlock<kTeam, Op::kRowSum>(segments, prepared, arrays, partial, row_sums, scratch);
  });
}

// ---- launchers ----

// y[i] = f(i, x0[i], ...)
template <class F, class... Inputs>
void LaunchMap(const Stream& stream, int64_t size, F f, float* y, const Inputs*... x) {
  if (size == 0) return;
  const Segments segments = CutIntoSegments(1, size);
  Launch(stream, dim3(static_cast<unsigned>(segments.blocks)), kMapThreads, MapKernel<F, sizeof...(Inputs)>, segments,
         f, MakeMapArrays(y, x...));
}

// y[r, i] = f(x0[r, i], ...) where f is made in two steps: op.Prepare(body) calls body(prepared) once, with one of the
// types that there may be, and prepared.Row(r) is the f of a row. What either reads from memory or computes is done
// once for many elements.
template <class Op, class... Inputs>
void LaunchMapRows(const Stream& stream, int64_t rows, int64_t elements, Op op, float* y, const Inputs*... x) {
  if (rows == 0 || elements == 0) return;
  const Segments segments = CutIntoSegments(rows, elements);
  constexpr int kInputs = sizeof...(Inputs);
  const auto kernel =
      segments.team == kMapThreads ? MapRowsKernel<kMapThreads, Op, kInputs> : MapRowsKernel<0, Op, kInputs>;
  Launch(stream, dim3(static_cast<unsigned>(segments.blocks)), kMapThreads, kernel, segments, op,
         MakeMapArrays(y, x...));
}

// The same with sums beside the output: prepared.Row(r) is called f(sums, x0[r, i], ...) and adds to the float array
// `sums`, of decltype(prepared)::kSums <= Op::kMaxSums. prepared.Finish(totals), in one thread at the end, gets the
// sums over all elements, in double. Sum Op::kRowSum (-1: none) is one of each row instead, and goes to row_sums[rows]
// if that is not null; its total is undefined. One launch, for no elements as well.
template <class Op, class... Inputs>
void LaunchMapReduce(KernelContext& context, int64_t rows, int64_t elements, Op op, float* row_sums, float* y,
                     const Inputs*... x) {
  const Segments segments = CutIntoSegments(rows, elements);
  constexpr int kInputs = sizeof...(Inputs);
  const auto kernel =
      segments.team == kMapThreads ? MapReduceKernel<kMapThreads, Op, kInputs> : MapReduceKernel<0, Op, kInputs>;
  const size_t bytes = static_cast<size_t>(segments.blocks) * Op::kMaxSums * sizeof(double);
  double* partial = static_cast<double*>(context.workspace.Get(bytes));
  Launch(context.stream, dim3(static_cast<unsigned>(segments.blocks)), kMapThreads, kernel, segments, op,
         MakeMapArrays(y, x...), partial, row_sums);
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_MAP_H_
