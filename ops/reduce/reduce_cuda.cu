#include "ops/reduce/reduce_kernels.h"
#include "runtime/kernel/cuda_columns.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = kMapThreads;
constexpr int kLoadsUnderWay = 8;

// sums[j] += x[r * stride + j] for r = line, line + step and so on below rows.
template <int kWidth, class T>
__device__ void AddColumns(const T* x, int64_t stride, int64_t line, int64_t rows, int step, double* sums) {
  int64_t r = line;
  for (; r + (kLoadsUnderWay - 1) * step < rows; r += kLoadsUnderWay * step) {
    T loaded[kLoadsUnderWay][kWidth];
    BG_UNROLL
    for (int u = 0; u < kLoadsUnderWay; ++u) LoadColumns<kWidth>(x + (r + u * step) * stride, loaded[u]);
    BG_UNROLL
    for (int u = 0; u < kLoadsUnderWay; ++u) {
      BG_UNROLL
      for (int j = 0; j < kWidth; ++j) sums[j] += static_cast<double>(loaded[u][j]);
    }
  }
  for (; r < rows; r += step) {
    T loaded[kWidth];
    LoadColumns<kWidth>(x + r * stride, loaded);
    BG_UNROLL
    for (int j = 0; j < kWidth; ++j) sums[j] += static_cast<double>(loaded[j]);
  }
}

// ---- kernels ----

// A row block's sums go to partial[row_block, columns]; the tile's last block adds them.
template <int kWidth>
__global__ void __launch_bounds__(kThreads) SumRowsKernel(ColumnTiles t, const float* x, float* y, double* partial) {
  __shared__ double shared[kThreads * kWidth];
  const ColumnPlace p = PlaceOf<kWidth>(t);
  const int64_t begin = p.row_block * t.block_rows, left = t.rows - begin;
  double sums[kWidth] = {};
  if (p.exists) {
    const int64_t rows = left < t.block_rows ? left : t.block_rows;
    AddColumns<kWidth>(x + begin * t.columns + p.column, t.columns, p.line, rows, t.step, sums);
  }
  AddLines<kWidth>(sums, p.lane, p.line, t.lanes, t.step, shared);

  // From here on a thread does a column.
  const int tile_columns = t.lanes * kWidth;
  const int64_t first = p.tile * tile_columns, column = first + threadIdx.x;
  const bool has_column = static_cast<int>(threadIdx.x) < tile_columns && column < t.columns;
  if (t.row_blocks == 1) {
    if (has_column) y[column] = static_cast<float>(shared[threadIdx.x]);
    return;
  }
  if (has_column) partial[p.row_block * t.columns + column] = shared[threadIdx.x];
  if (!LastBlock(Counters() + p.tile, static_cast<unsigned>(t.row_blocks))) return;

  const int step = kThreads / tile_columns, line = threadIdx.x / tile_columns, lane = threadIdx.x % tile_columns;
  double sum = 0;
  if (line < step && first + lane < t.columns) {
    AddColumns<1>(partial + first + lane, t.columns, line, t.row_blocks, step, &sum);
  }
  AddLines<1>(&sum, lane, line, tile_columns, step, shared);
  if (has_column) y[column] = static_cast<float>(shared[threadIdx.x]);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads) RepeatRowKernel(ColumnTiles t, const float* row, float* y) {
  const ColumnPlace p = PlaceOf<kWidth>(t);
  if (!p.exists) return;
  float values[kWidth];
  LoadColumns<kWidth>(row + p.column, values);
  const int64_t begin = p.row_block * t.block_rows, left = t.rows - begin;
  const int64_t rows = left < t.block_rows ? left : t.block_rows;
  for (int64_t r = p.line; r < rows; r += t.step) StoreColumns<kWidth>(values, y + (begin + r) * t.columns + p.column);
}

// A thread adds vectors, which begin at a multiple of 4 elements, whether they can be loaded as such or not.
__global__ void __launch_bounds__(kThreads)
    SumKernel(Segments s, const float* x, bool aligned, double* partial, float* y, double divisor) {
  __shared__ double shared[1][kThreads];
  double sums[1] = {0};
  if (blockIdx.x < s.count) {
    const Segment segment = SegmentOf(s, blockIdx.x);
    const float* base = x + segment.base;
    int i = 4 * threadIdx.x;
    if (aligned) {
      for (; i + 12 * kThreads + 4 <= segment.end; i += 16 * kThreads) {
        float loaded[4][4];
        BG_UNROLL
        for (int u = 0; u < 4; ++u) LoadColumns<4>(base + i + u * 4 * kThreads, loaded[u]);
        BG_UNROLL
        for (int j = 0; j < 16; ++j) sums[0] += static_cast<double>(loaded[j / 4][j % 4]);
      }
    }
    for (; i < segment.end; i += 4 * kThreads) {
      for (int j = i; j < i + 4 && j < segment.end; ++j) sums[0] += static_cast<double>(base[j]);
    }
  }
  BlockSums<kThreads>(sums, shared, [&](int, double sum) { partial[blockIdx.x] = sum; });
  if (!LastBlock(Counters(), gridDim.x)) return;
  if (threadIdx.x < kWarp) {
    const double sum = WarpSumOf(partial, gridDim.x);
    if (threadIdx.x == 0) *y = static_cast<float>(sum / divisor);
  }
}

struct FillOp {
  const float* value;
  double divisor;

  struct Prepared {
    float value;
    __device__ auto Row(int64_t) const {
      return [v = value] { return v; };
    }
  };
  template <class Body>
  __device__ void Prepare(const Body& body) const {
    body(Prepared{static_cast<float>(*value / divisor)});
  }
};

}  // namespace

// ---- launchers ----

void Sum(KernelContext& context, View y, ConstView x, int64_t size, double divisor) {
  const Segments segments = CutIntoSegments(1, size);
  double* partial = static_cast<double*>(context.workspace.Get(static_cast<size_t>(segments.blocks) * sizeof(double)));
  Launch(context.stream, dim3(static_cast<unsigned>(segments.blocks)), kThreads, SumKernel, segments, x.As(),
         AlignedToVectors(x.data), partial, y.As(), divisor);
}

void Fill(KernelContext& context, View y, ConstView value, int64_t size, double divisor) {
  LaunchMapRows(context.stream, 1, size, FillOp{value.As(), divisor}, y.As());
}

void SumRows(KernelContext& context, View y, ConstView x, int64_t rows, int64_t columns) {
  if (columns == 0) return;
  const ColumnTiles tiles = CutIntoTiles(rows, columns, AlignedToVectors(x.data));
  double* partial = nullptr;
  if (tiles.row_blocks > 1) {
    partial =
        static_cast<double*>(context.workspace.Get(static_cast<size_t>(tiles.row_blocks * columns) * sizeof(double)));
  }
  Launch(context.stream, dim3(tiles.blocks()), kThreads, tiles.width == 4 ? SumRowsKernel<4> : SumRowsKernel<1>, tiles,
         x.As(), y.As(), partial);
}

void RepeatRow(KernelContext& context, View y, ConstView row, int64_t rows, int64_t columns) {
  if (rows == 0 || columns == 0) return;
  const ColumnTiles tiles = CutIntoTiles(rows, columns, AlignedToVectors(y.data) && AlignedToVectors(row.data));
  Launch(context.stream, dim3(tiles.blocks()), kThreads, tiles.width == 4 ? RepeatRowKernel<4> : RepeatRowKernel<1>,
         tiles, row.As(), y.As());
}

}  // namespace cuda
}  // namespace bitgate
