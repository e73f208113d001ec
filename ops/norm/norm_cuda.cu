#include "ops/elementwise/elementwise_math.h"
#include "ops/norm/norm_kernels.h"
#include "ops/norm/norm_math.h"
#include "runtime/kernel/cuda_columns.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = kMapThreads;
constexpr int kLoadsUnderWay = 4;

// body(row, x, g) with the thread's kWidth elements of each of its rows, in order; g is all zero where there is no
// second array.
template <int kWidth, bool kTwo, class Body>
__device__ void ForEachRow(const ColumnTiles& t, const ColumnPlace& p, const float* x, const float* g,
                           const Body& body) {
  float xs[kLoadsUnderWay][kWidth], gs[kLoadsUnderWay][kWidth] = {};
  int64_t r = p.row;
  for (; r + (kLoadsUnderWay - 1) * t.step < p.end; r += kLoadsUnderWay * t.step) {
    BG_UNROLL
    for (int u = 0; u < kLoadsUnderWay; ++u) {
      const int64_t at = (r + u * t.step) * t.columns + p.column;
      LoadColumns<kWidth>(x + at, xs[u]);
      if constexpr (kTwo) LoadColumns<kWidth>(g + at, gs[u]);
    }
    BG_UNROLL
    for (int u = 0; u < kLoadsUnderWay; ++u) body(r + u * t.step, xs[u], gs[u]);
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
// sums. A row block's go to partial[row_block, 2, channels]; the tile's last block adds them.
template <int kWidth, bool kTwo, class Op>
__global__ void __launch_bounds__(kThreads)
    SumChannelsKernel(ColumnTiles t, Op op, const float* x, const float* g, double* partial) {
  __shared__ double shared[2][kThreads * kWidth];
  const ColumnPlace p = PlaceOf<kWidth>(t);
  double sums[2][kWidth] = {};
  if (p.exists) {
    typename Op::Channel channels[kWidth];
    BG_UNROLL
    for (int j = 0; j < kWidth; ++j) channels[j] = op.Of(p.column + j);
    ForEachRow<kWidth, kTwo>(t, p, x, g, [&](int64_t, const float* xs, const float* gs) {
      BG_UNROLL
      for (int j = 0; j < kWidth; ++j) channels[j].Add(xs[j], gs[j], &sums[0][j], &sums[1][j]);
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

  const int step = kThreads / tile_channels, line = threadIdx.x / tile_channels, lane = threadIdx.x % tile_channels;
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
__global__ void __launch_bounds__(kThreads)
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

// ---- what they compute ----

struct Moments {
  const float* x;
  float *mean, *variance, *running_mean, *running_variance;
  float momentum;
  int64_t rows;

  struct Channel {
    double shift;
    __device__ void Add(float x, float, double* sum, double* squares) const {
      const double moved = static_cast<double>(x) - shift;
      *sum += moved;
      *squares += moved * moved;
    }
  };
  __device__ Channel Of(int64_t channel) const { return {static_cast<double>(x[channel])}; }
  __device__ void Finish(int64_t channel, double sum, double squares) const {
    const ChannelMoments moments(sum, squares, x[channel], rows);
    mean[channel] = moments.mean;
    variance[channel] = moments.variance;
    if (running_mean == nullptr) return;
    running_mean[channel] = Running(running_mean[channel], moments.mean, momentum);
    running_variance[channel] = Running(running_variance[channel], UnbiasedVariance(moments.variance, rows), momentum);
  }
};

struct GradientSums {
  const float *mean, *variance;
  float* grad_gamma;
  float* grad_beta;
  float epsilon;

  struct Channel {
    float mean, inverse;
    __device__ void Add(float x, float grad_y, double* sum, double* products) const {
      const double gradient = static_cast<double>(grad_y);
      *sum += gradient;
      *products += gradient * static_cast<double>((x - mean) * inverse);
    }
  };
  __device__ Channel Of(int64_t channel) const { return {mean[channel], InverseDeviation(variance[channel], epsilon)}; }
  __device__ void Finish(int64_t channel, double sum, double products) const {
    grad_beta[channel] = static_cast<float>(sum);
    grad_gamma[channel] = static_cast<float>(products);
  }
};

struct LineChannel {
  ChannelLine line;
  bool relu;
  __device__ float operator()(float x, float) const {
    const float value = OnLine(x, line.mean, line.slope, line.shift);
    return relu ? ReluValue(value, 0.0f) : value;
  }
};

struct Normalise {
  using Channel = LineChannel;
  const float *mean, *variance, *gamma, *beta;
  float epsilon;
  bool relu;
  __device__ Channel Of(int64_t c) const { return {NormLine(mean[c], variance[c], gamma[c], beta[c], epsilon), relu}; }
};

struct StatisticsGradient {
  using Channel = LineChannel;
  const float *mean, *grad_mean, *grad_variance;
  int64_t rows;
  __device__ Channel Of(int64_t c) const {
    return {StatisticsGradientLine(mean[c], grad_mean[c], grad_variance[c], rows), false};
  }
};

struct DataGradient {
  const float *mean, *variance, *gamma, *grad_gamma, *grad_beta;
  float epsilon;
  int64_t rows;

  struct Channel {
    ChannelGradient gradient;
    __device__ float operator()(float x, float grad_y) const {
      const ChannelLine& line = gradient.line;
      return NormGradientOf(grad_y, x, gradient.slope, line.mean, line.slope, line.shift);
    }
  };
  __device__ Channel Of(int64_t c) const {
    return {NormGradient(mean[c], variance[c], gamma[c], grad_gamma[c], grad_beta[c], epsilon, rows)};
  }
};

// The same where the statistics are constants; its x is grad_y.
struct ScaledGradient {
  const float *variance, *gamma;
  float epsilon;

  struct Channel {
    float slope;
    __device__ float operator()(float grad_y, float) const { return slope * grad_y; }
  };
  __device__ Channel Of(int64_t c) const { return {gamma[c] * InverseDeviation(variance[c], epsilon)}; }
};

template <bool kTwo, class Op>
void LaunchSumChannels(KernelContext& context, const Op& op, const float* x, const float* g, int64_t rows,
                       int64_t channels) {
  const ColumnTiles tiles = CutIntoTiles(rows, channels, AlignedToVectors(x) && AlignedToVectors(g));
  double* partial = nullptr;
  if (tiles.row_blocks > 1) {
    const size_t count = static_cast<size_t>(tiles.row_blocks * 2 * channels);
    partial = static_cast<double*>(context.workspace.Get(count * sizeof(double)));
  }
  Launch(context.stream, dim3(tiles.blocks()), kThreads,
         tiles.width == 4 ? SumChannelsKernel<4, kTwo, Op> : SumChannelsKernel<1, kTwo, Op>, tiles, op, x, g, partial);
}

template <bool kTwo, class Op>
void LaunchMapChannels(KernelContext& context, const Op& op, const float* x, const float* g, float* y, int64_t rows,
                       int64_t channels) {
  const ColumnTiles tiles =
      CutIntoTiles(rows, channels, AlignedToVectors(x) && AlignedToVectors(g) && AlignedToVectors(y));
  Launch(context.stream, dim3(tiles.blocks()), kThreads,
         tiles.width == 4 ? MapChannelsKernel<4, kTwo, Op> : MapChannelsKernel<1, kTwo, Op>, tiles, op, x, g, y);
}

}  // namespace

// ---- launchers ----

void ChannelStatistics(KernelContext& context, View mean, View variance, View running_mean, View running_variance,
                       ConstView x, float momentum, int64_t rows, int64_t channels) {
  const Moments op{x.As(), mean.As(), variance.As(), running_mean.As(), running_variance.As(), momentum, rows};
  LaunchSumChannels<false>(context, op, x.As(), nullptr, rows, channels);
}

void ChannelStatisticsBackward(KernelContext& context, View grad_x, ConstView grad_mean, ConstView grad_variance,
                               ConstView x, ConstView mean, int64_t rows, int64_t channels) {
  const StatisticsGradient op{mean.As(), grad_mean.As(), grad_variance.As(), rows};
  LaunchMapChannels<false>(context, op, x.As(), nullptr, grad_x.As(), rows, channels);
}

void BatchNormForward(KernelContext& context, View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma,
                      ConstView beta, float epsilon, bool relu, int64_t rows, int64_t channels) {
  const Normalise op{mean.As(), variance.As(), gamma.As(), beta.As(), epsilon, relu};
  LaunchMapChannels<false>(context, op, x.As(), nullptr, y.As(), rows, channels);
}

void BatchNormBackwardChannels(KernelContext& context, View grad_gamma, View grad_beta, ConstView grad_y, ConstView x,
                               ConstView mean, ConstView variance, float epsilon, int64_t rows, int64_t channels) {
  const GradientSums op{mean.As(), variance.As(), grad_gamma.As(), grad_beta.As(), epsilon};
  LaunchSumChannels<true>(context, op, x.As(), grad_y.As(), rows, channels);
}

void BatchNormBackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView x, ConstView mean,
                           ConstView variance, ConstView gamma, ConstView grad_gamma, ConstView grad_beta,
                           float epsilon, int64_t rows, int64_t channels) {
  if (grad_gamma.data == nullptr) {
    const ScaledGradient op{variance.As(), gamma.As(), epsilon};
    LaunchMapChannels<false>(context, op, grad_y.As(), nullptr, grad_x.As(), rows, channels);
    return;
  }
  const DataGradient op{mean.As(), variance.As(), gamma.As(), grad_gamma.As(), grad_beta.As(), epsilon, rows};
  LaunchMapChannels<true>(context, op, x.As(), grad_y.As(), grad_x.As(), rows, channels);
}

}  // namespace cuda
}  // namespace bitgate
