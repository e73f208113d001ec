// A matrix by its channels on CUDA: what does the same to every row, and sums over rows. For .cu files only.
#ifndef BITGATE_OPS_NORM_CHANNELS_CUDA_H_
#define BITGATE_OPS_NORM_CHANNELS_CUDA_H_

#include "ops/elementwise/elementwise_math.h"
#include "ops/norm/norm_math.h"
#include "runtime/device/kernel_context.h"
#include "runtime/kernel/cuda_columns.h"

namespace bitgate {
namespace cuda {

constexpr int kChannelLoads = 4;

// body(row, x, g) with the thread's kWidth elements of each of its rows, in order; g is all zero where there is no
// second array.
template <int kWidth, bool kTwo, class Body>
__device__ void ForEachRow(const ColumnTiles& t, const ColumnPlace& p, const float* x, const float* g,
                           const Body& body) {
  float xs[kChannelLoads][kWidth], gs[kChannelLoads][kWidth] = {};
  int64_t r = p.row;
  for (; r + (kChannelLoads - 1) * t.step < p.end; r += kChannelLoads * t.step) {
    BG_UNROLL
    for (int u = 0; u < kChannelLoads; ++u) {
      const int64_t at = (r + u * t.step) * t.columns + p.column;
      LoadColumns<kWidth>(x + at, xs[u]);
      if constexpr (kTwo) LoadColumns<kWidth>(g + at, gs[u]);
    }
    BG_UNROLL
    for (int u = 0; u < kChannelLoads; ++u) body(r + u * t.step, xs[u], gs[u]);
  }
  for (; r < p.end; r += t.step) {
    const int64_t at = r * t.columns + p.column;
    LoadColumns<kWidth>(x + at, xs[0]);
    if constexpr (kTwo) LoadColumns<kWidth>(g + at, gs[0]);
    body(r, xs[0], gs[0]);
  }
}

// ---- kernels ----

// Two sums of each channel: op.Of(channel) gives what adds an element's terms, op.Finish(channel, sum, sum) takes the
// sums. A row block's go to partial[row_block, 2, channels]; the tile's last block adds them. With kMaps, what adds an
// element's terms returns an element of y, which may be null.
template <int kWidth, bool kTwo, bool kMaps, class Op>
__global__ void __launch_bounds__(kMapThreads)
    SumChannelsKernel(ColumnTiles t, Op op, const float* x, const float* g, float* y, double* partial) {
  __shared__ double shared[2][kMapThreads * kWidth];
  const ColumnPlace p = PlaceOf<kWidth>(t);
  double sums[2][kWidth] = {};
  if (p.exists) {
    typename Op::Channel channels[kWidth];
    BG_UNROLL
    for (int j = 0; j < kWidth; ++j) channels[j] = op.Of(p.column + j);
    ForEachRow<kWidth, kTwo>(t, p, x, g, [&](int64_t row, const float* xs, const float* gs) {
      if constexpr (kMaps) {
        float values[kWidth];
        BG_UNROLL
        for (int j = 0; j < kWidth; ++j) values[j] = channels[j].Add(xs[j], gs[j], &sums[0][j], &sums[1][j]);
        if (y != nullptr) StoreColumns<kWidth>(values, y + row * t.columns + p.column);
      } else {
        BG_UNROLL
        for (int j = 0; j < kWidth; ++j) channels[j].Add(xs[j], gs[j], &sums[0][j], &sums[1][j]);
      }
    });
  }
  for (int k = 0; k < 2; ++k) AddLines<kWidth>(sums[k], p.lane, p.line, t.lanes, t.step, shared[k]);

  // From here on a thread does a channel.
  const int tile_channels = t.lanes * kWidth;
  const int64_t first = p.tile * tile_channels, channel = first + threadIdx.x;
  const bool has_channel = static_cast<int>(threadIdx.x) < tile_channels && channel < t.columns;
  if (t.row_blocks == 1) {
    if (has_channel) op.Finish(channel, shared[0][threadIdx.x], shared[1][threadIdx.x]);
    return;
  }
  for (int k = 0; k < 2; ++k) {
    if (has_channel) partial[(p.row_block * 2 + k) * t.columns + channel] = shared[k][threadIdx.x];
  }
  if (!LastBlock(Counters() + p.tile, static_cast<unsigned>(t.row_blocks))) return;

  const int step = kMapThreads / tile_channels, line = threadIdx.x / tile_channels, lane = threadIdx.x % tile_channels;
  for (int k = 0; k < 2; ++k) {
    double sum = 0;
    if (line < step && first + lane < t.columns) {
      for (int64_t b = line; b < t.row_blocks; b += step) sum += partial[(b * 2 + k) * t.columns + first + lane];
    }
    AddLines<1>(&sum, lane, line, tile_channels, step, shared[k]);
  }
  if (has_channel) op.Finish(channel, shared[0][threadIdx.x], shared[1][threadIdx.x]);
}

// y = the function op.Of(channel) of x and g, element by element.
template <int kWidth, bool kTwo, class Op>
__global__ void __launch_bounds__(kMapThreads)
    MapChannelsKernel(ColumnTiles t, Op op, const float* x, const float* g, float* y) {
  const ColumnPlace p = PlaceOf<kWidth>(t);
  if (!p.exists) return;
  typename Op::Channel channels[kWidth];
  BG_UNROLL
  for (int j = 0; j < kWidth; ++j) channels[j] = op.Of(p.column + j);
  ForEachRow<kWidth, kTwo>(t, p, x, g, [&](int64_t row, const float* xs, const float* gs) {
    float values[kWidth];
    BG_UNROLL
    for (int j = 0; j < kWidth; ++j) values[j] = channels[j](xs[j], gs[j]);
    StoreColumns<kWidth>(values, y + row * t.columns + p.column);
  });
}

// step(c) for each channel.
template <class Step>
__global__ void __launch_bounds__(kMapThreads) EachChannelKernel(int64_t channels, Step step) {
  const int64_t c = static_cast<int64_t>(blockIdx.x) * kMapThreads + threadIdx.x;
  if (c < channels) step(c);
}

// ---- launchers ----

template <class Step>
void LaunchEachChannel(KernelContext& context, int64_t channels, const Step& step) {
  Launch(context.stream, dim3(static_cast<unsigned>(Parts(channels, kMapThreads))), kMapThreads,
         EachChannelKernel<Step>, channels, step);
}

template <bool kTwo, bool kMaps, class Op>
void LaunchMapAndSumChannels(KernelContext& context, const Op& op, const float* x, const float* g, float* y,
                             int64_t rows, int64_t channels) {
  const ColumnTiles tiles =
      CutIntoTiles(rows, channels, AlignedToVectors(x) && AlignedToVectors(g) && AlignedToVectors(y));
  double* partial = nullptr;
  if (tiles.row_blocks > 1) {
    const size_t count = static_cast<size_t>(tiles.row_blocks * 2 * channels);
    partial = static_cast<double*>(context.workspace.Get(count * sizeof(double)));
  }
  Launch(context.stream, dim3(tiles.blocks()), kMapThreads,
         tiles.width == 4 ? SumChannelsKernel<4, kTwo, kMaps, Op> : SumChannelsKernel<1, kTwo, kMaps, Op>, tiles, op, x,
         g, y, partial);
}

template <bool kTwo, class Op>
void LaunchSumChannels(KernelContext& context, const Op& op, const float* x, const float* g, int64_t rows,
                       int64_t channels) {
  LaunchMapAndSumChannels<kTwo, false>(context, op, x, g, nullptr, rows, channels);
}

template <bool kTwo, class Op>
void LaunchMapChannels(KernelContext& context, const Op& op, const float* x, const float* g, float* y, int64_t rows,
                       int64_t channels) {
  const ColumnTiles tiles =
      CutIntoTiles(rows, channels, AlignedToVectors(x) && AlignedToVectors(g) && AlignedToVectors(y));
  Launch(context.stream, dim3(tiles.blocks()), kMapThreads,
         tiles.width == 4 ? MapChannelsKernel<4, kTwo, Op> : MapChannelsKernel<1, kTwo, Op>, tiles, op, x, g, y);
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_CHANNELS_CUDA_H_
