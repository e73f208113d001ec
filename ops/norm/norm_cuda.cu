#include "ops/norm/channels_cuda.h"
#include "ops/norm/norm_kernels.h"

namespace bitgate {
namespace cuda {
namespace {

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
    MoveRunning(running_mean + channel, running_variance + channel, moments.mean, moments.variance, momentum, rows);
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
