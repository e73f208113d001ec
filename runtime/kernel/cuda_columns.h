// A matrix by its columns: what sums over rows, and what does the same to every row, have in common. For .cu files
// only.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_COLUMNS_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_COLUMNS_H_

#include "runtime/kernel/cuda_map.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {

constexpr int kTileColumns = 256;    // that a block does, at most
constexpr int kTileRowsAThread = 8;  // at least, before rows are given to several blocks

// A matrix cut into blocks of rows by tiles of columns, for blocks of kMapThreads. A thread does `width` neighbouring
// columns (4 where rows are aligned to vectors) of every step-th row of its block. Depends on sizes and alignment
// alone.
struct ColumnTiles {
  int64_t rows, columns;
  int width;
  int lanes, step;  // threads side by side, and rows that a block does at a time
  int64_t tiles, row_blocks, block_rows;

  unsigned blocks() const { return static_cast<unsigned>(tiles * row_blocks); }
};

// columns at least 1. Several row blocks only where there is a counter for each tile.
inline ColumnTiles CutIntoTiles(int64_t rows, int64_t columns, bool aligned) {
  ColumnTiles t{rows, columns, aligned && columns % 4 == 0 ? 4 : 1, 0, 0, 0, 1, rows};
  t.lanes = static_cast<int>(AtMost(columns, kTileColumns)) / t.width;
  t.step = kMapThreads / t.lanes;
  t.tiles = Parts(columns, t.lanes * t.width);
  if (t.tiles <= kCounters) {
    t.row_blocks = AtMost(Parts(rows, t.step * kTileRowsAThread), AtLeast(kFewBlocks / t.tiles, 1));
    t.row_blocks = AtLeast(t.row_blocks, 1);
    t.block_rows = Parts(rows, t.row_blocks);
    t.row_blocks = AtLeast(Parts(rows, t.block_rows == 0 ? 1 : t.block_rows), 1);
  }
  return t;
}

// Whether rows that begin there can be loaded four elements at a time.
inline bool AlignedToVectors(const void* data) { return IsAligned(data, sizeof(float4)); }

// ---- on the device ----

// Where a thread works: `lane` < lanes across, `line` < step down; the others do nothing.
struct ColumnPlace {
  int64_t tile, row_block;
  int lane, line;
  int64_t column;  // the first of its own
  bool exists;
  int64_t row, end;  // its rows: row, row + step and so on below end
};

template <int kWidth>
__device__ ColumnPlace PlaceOf(const ColumnTiles& t) {
  ColumnPlace p;
  p.row_block = blockIdx.x / t.tiles;
  p.tile = blockIdx.x - p.row_block * t.tiles;
  p.line = threadIdx.x / t.lanes;
  p.lane = threadIdx.x - p.line * t.lanes;
  p.column = (p.tile * t.lanes + p.lane) * kWidth;
  p.exists = p.line < t.step && p.column < t.columns;
  const int64_t begin = p.row_block * t.block_rows, end = begin + t.block_rows;
  p.row = begin + p.line;
  p.end = end < t.rows ? end : t.rows;
  return p;
}

template <int kWidth, class T>
__device__ void LoadColumns(const T* x, T* values) {
  if constexpr (kWidth == 4) {
    const float4 v = *reinterpret_cast<const float4*>(x);
    values[0] = v.x, values[1] = v.y, values[2] = v.z, values[3] = v.w;
  } else {
    values[0] = *x;
  }
}

template <int kWidth>
__device__ void StoreColumns(const float* values, float* y) {
  if constexpr (kWidth == 4) {
    __stwb(reinterpret_cast<float4*>(y), make_float4(values[0], values[1], values[2], values[3]));
  } else {
    *y = values[0];
  }
}

// Adds the sums of the `step` threads in each lane, by halves; those of line 0 are then in shared[0 .. lanes * kWidth).
template <int kWidth>
__device__ void AddLines(const double* sums, int lane, int line, int lanes, int step, double* shared) {
  __syncthreads();  // shared may still be read
  double* own = shared + (line * lanes + lane) * kWidth;
  BG_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    if (line < step) own[j] = sums[j];
  }
  __syncthreads();
  for (int left = step; left > 1;) {
    const int half = (left + 1) / 2;
    if (line + half < left) {
      BG_UNROLL
      for (int j = 0; j < kWidth; ++j) own[j] += own[half * lanes * kWidth + j];
    }
    __syncthreads();
    left = half;
  }
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_COLUMNS_H_
