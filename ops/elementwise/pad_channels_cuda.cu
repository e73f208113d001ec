#include "ops/elementwise/pad_channels_kernels.h"
#include "runtime/kernel/cuda_columns.h"

namespace bitgate {
namespace cuda {
namespace {

// A thread does a channel of y, all the way down its rows.
__global__ void __launch_bounds__(kMapThreads)
    PlaceChannelsKernel(ColumnTiles t, float* y, const float* x, int64_t x_channels, int64_t offset) {
  const ColumnPlace p = PlaceOf<1>(t);
  if (!p.exists) return;
  const int64_t from = p.column - offset;
  const bool is_there = from >= 0 && from < x_channels;
  for (int64_t r = p.row; r < p.end; r += t.step) {
    y[r * t.columns + p.column] = is_there ? x[r * x_channels + from] : 0.0f;
  }
}

}  // namespace

void PlaceChannels(KernelContext& context, View y, ConstView x, int64_t rows, int64_t y_channels, int64_t x_channels,
                   int64_t offset) {
  if (rows == 0 || y_channels == 0) return;
  const ColumnTiles tiles = CutIntoTiles(rows, y_channels, /*aligned=*/false);
  Launch(context.stream, dim3(tiles.blocks()), kMapThreads, PlaceChannelsKernel, tiles, y.As(), x.As(), x_channels,
         offset);
}

}  // namespace cuda
}  // namespace bitgate
