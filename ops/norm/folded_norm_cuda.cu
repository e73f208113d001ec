#include "ops/norm/channels_cuda.h"
#include "ops/norm/folded_norm_kernels.h"
#include "ops/norm/folded_norm_math.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int64_t kMaxBlocks = int64_t{1} << 20;

// ---- kernels ----

struct ScaleRowsOp {
  const float* gain;

  template <class Body>
  __device__ void Prepare(const Body& body) const {
    body(*this);
  }
  __device__ auto Row(int64_t row) const {
    return [factor = gain[row]](float w) { return Product(w, factor); };
  }
};

// A block does a row at a time.
__global__ void __launch_bounds__(kMapThreads)
    ScaleRowsBackwardKernel(float* grad_w, float* grad_gain, const float* w, const float* gain, const float* grad_y,
                            int64_t rows, int64_t elements) {
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    const float factor = gain[r];
    double sum = 0;
    for (int64_t i = r * elements + threadIdx.x; i < (r + 1) * elements; i += kMapThreads) {
      const float gradient = grad_y[i];
      if (grad_w != nullptr) grad_w[i] = Product(gradient, factor);
      sum += static_cast<double>(w[i]) * static_cast<double>(gradient);
    }
    sum = CombineWarps<kMapThreads / kWarp>(sum, Plus());
    if (threadIdx.x == 0 && grad_gain != nullptr) grad_gain[r] = static_cast<float>(sum);
  }
}

struct FoldedGradientSums {
  const float *mean, *variance, *gamma, *beta, *folded_mean, *deviation;
  float *grad_mean, *grad_variance, *grad_gamma, *grad_beta;
  float epsilon;
  bool relu;

  struct Channel {
    ChannelLine line;
    bool relu;
    // Returns the gradient of x.
    __device__ float Add(float x, float grad_result, double* sum, double* products) const {
      const float moved = (x - line.mean) * line.slope;
      const float gradient = relu ? ReluSlopeTimes(moved + line.shift, grad_result, 0.0f) : grad_result;
      *sum += static_cast<double>(gradient);
      *products += static_cast<double>(gradient) * static_cast<double>(moved);
      return line.slope * gradient;
    }
  };
  __device__ Channel Of(int64_t c) const {
    return {NormLine(folded_mean[c], variance[c], deviation[c], beta[c], epsilon), relu};
  }
  __device__ void Finish(int64_t c, double sum, double products) const {
    const FoldedGradients gradient(sum, products, mean[c], variance[c], gamma[c], epsilon);
    grad_mean[c] = gradient.mean;
    grad_variance[c] = gradient.variance;
    grad_gamma[c] = gradient.gamma;
    grad_beta[c] = gradient.beta;
  }
};

UnfoldedChannels ChannelsOf(const UnfoldedStatistics& views) {
  return {views.mean.As(),  views.scaled.As(), views.scale.As(),
          views.share.As(), views.shift.As(),  views.inverse_gate.As()};
}

}  // namespace

// ---- launchers ----

void ScaleRows(KernelContext& context, View y, ConstView w, ConstView gain, int64_t rows, int64_t elements) {
  LaunchMapRows(context.stream, rows, elements, ScaleRowsOp{gain.As()}, y.As(), w.As());
}

void ScaleRowsBackward(KernelContext& context, View grad_w, View grad_gain, ConstView w, ConstView gain,
                       ConstView grad_y, int64_t rows, int64_t elements) {
  if (rows == 0) return;
  Launch(context.stream, dim3(static_cast<unsigned>(AtMost(rows, kMaxBlocks))), kMapThreads, ScaleRowsBackwardKernel,
         grad_w.As(), grad_gain.As(), w.As(), gain.As(), grad_y.As(), rows, elements);
}

void FoldGain(KernelContext& context, View gain, View inverse, ConstView gamma, ConstView variance, float epsilon,
              int64_t channels) {
  LaunchEachChannel(context, channels, FoldGainStep{gain.As(), inverse.As(), gamma.As(), variance.As(), epsilon});
}

void FoldShift(KernelContext& context, View shift, View slope, ConstView gamma, ConstView beta, ConstView mean,
               ConstView variance, float epsilon, int64_t channels) {
  LaunchEachChannel(context, channels,
                    FoldShiftStep{shift.As(), slope.As(), gamma.As(), beta.As(), mean.As(), variance.As(), epsilon});
}

void FoldNorm(KernelContext& context, View folded_mean, View deviation, ConstView gamma, ConstView mean,
              ConstView running_variance, float epsilon, int64_t channels) {
  LaunchEachChannel(
      context, channels,
      FoldNormStep{folded_mean.As(), deviation.As(), gamma.As(), mean.As(), running_variance.As(), epsilon});
}

void UnfoldStatistics(KernelContext& context, const UnfoldedStatistics& out, View running_mean, View running_variance,
                      const UnfoldOperands& in, float momentum, float epsilon, int64_t rows, int64_t channels) {
  const UnfoldStep step{ChannelsOf(out),
                        running_mean.As(),
                        running_variance.As(),
                        in.mean.As(),
                        in.variance.As(),
                        in.float_mean.As(),
                        in.float_variance.As(),
                        in.gamma.As(),
                        in.gates.As(),
                        momentum,
                        epsilon,
                        rows};
  LaunchEachChannel(context, channels, step);
}

void UnfoldBackward(KernelContext& context, const UnfoldGradients& out, const UnfoldedStatistics& in, ConstView sum,
                    ConstView products, ConstView mean_of_x, int64_t channels) {
  const UnfoldGradientStep step{ChannelsOf(in), out.grad_gamma.As(), out.grad_gates.As(),
                                out.sum.As(),   out.products.As(),   sum.As(),
                                products.As(),  mean_of_x.As()};
  LaunchEachChannel(context, channels, step);
}

void UpdateRunning(KernelContext& context, View running_mean, View running_variance, ConstView mean, ConstView variance,
                   float momentum, int64_t rows, int64_t channels) {
  LaunchEachChannel(
      context, channels,
      UpdateRunningStep{running_mean.As(), running_variance.As(), mean.As(), variance.As(), momentum, rows});
}

void FoldedNormBackward(KernelContext& context, const FoldedNormGradients& out, const FoldedNormOperands& in,
                        float epsilon, bool relu, int64_t rows, int64_t channels) {
  const FoldedGradientSums op{in.mean.As(),
                              in.variance.As(),
                              in.gamma.As(),
                              in.beta.As(),
                              in.folded_mean.As(),
                              in.deviation.As(),
                              out.grad_mean.As(),
                              out.grad_variance.As(),
                              out.grad_gamma.As(),
                              out.grad_beta.As(),
                              epsilon,
                              relu};
  LaunchMapAndSumChannels<true, true>(context, op, in.x.As(), in.grad_result.As(), out.grad_x.As(), rows, channels);
}

}  // namespace cuda
}  // namespace bitgate
