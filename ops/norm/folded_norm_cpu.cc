#include "ops/norm/channels_cpu.h"
#include "ops/norm/folded_norm_kernels.h"
#include "ops/norm/folded_norm_math.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

template <class Step>
BG_INLINE void EachChannel(int64_t channels, const Step& step) {
  for (int64_t c = 0; c < channels; ++c) step(c);
}

// The sum of w grad_y over a row, in a double for each lane.
BG_INLINE float RowSum(const float* w, const float* grad_y, int64_t elements) {
  double lanes[kLanes] = {};
  ForEachVector(
      elements, [&](int64_t i, int n) __attribute__((always_inline)) {
        for (int j = 0; j < n; ++j) lanes[j] += static_cast<double>(w[i + j]) * static_cast<double>(grad_y[i + j]);
      });
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return static_cast<float>(sum);
}

BG_INLINE UnfoldedChannels ChannelsOf(const UnfoldedStatistics& views) {
  return {views.mean.As(),  views.scaled.As(), views.scale.As(),
          views.share.As(), views.shift.As(),  views.inverse_gate.As()};
}

}  // namespace

void ScaleRows(KernelContext&, View y, ConstView w, ConstView gain, int64_t rows, int64_t elements) {
  const float* gains = gain.As();
  MapRows(
      rows, elements,
      [=](int64_t row) __attribute__((always_inline)) {
        return [factor = Broadcast(gains[row])](Vec v) __attribute__((always_inline)) { return Product(v, factor); };
      },
      y.As(), w.As());
}

void ScaleRowsBackward(KernelContext& context, View grad_w, View grad_gain, ConstView w, ConstView gain,
                       ConstView grad_y, int64_t rows, int64_t elements) {
  if (grad_w.data != nullptr) ScaleRows(context, grad_w, grad_y, gain, rows, elements);
  if (grad_gain.data == nullptr) return;
  ParallelFor(rows, 1 + kBlock / (elements + 1), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      grad_gain.As()[r] = RowSum(w.As() + r * elements, grad_y.As() + r * elements, elements);
    }
  });
}

void FoldGain(KernelContext&, View gain, View inverse, ConstView gamma, ConstView variance, float epsilon,
              int64_t channels) {
  EachChannel(channels, FoldGainStep{gain.As(), inverse.As(), gamma.As(), variance.As(), epsilon});
}

void FoldShift(KernelContext&, View shift, View slope, ConstView gamma, ConstView beta, ConstView mean,
               ConstView variance, float epsilon, int64_t channels) {
  EachChannel(channels,
              FoldShiftStep{shift.As(), slope.As(), gamma.As(), beta.As(), mean.As(), variance.As(), epsilon});
}

void FoldNorm(KernelContext&, View folded_mean, View deviation, ConstView gamma, ConstView mean,
              ConstView running_variance, float epsilon, int64_t channels) {
  EachChannel(channels,
              FoldNormStep{folded_mean.As(), deviation.As(), gamma.As(), mean.As(), running_variance.As(), epsilon});
}

void UnfoldStatistics(KernelContext&, const UnfoldedStatistics& out, View running_mean, View running_variance,
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
  EachChannel(channels, step);
}

void UnfoldBackward(KernelContext&, const UnfoldGradients& out, const UnfoldedStatistics& in, ConstView sum,
                    ConstView products, ConstView mean_of_x, int64_t channels) {
  const UnfoldGradientStep step{ChannelsOf(in), out.grad_gamma.As(), out.grad_gates.As(),
                                out.sum.As(),   out.products.As(),   sum.As(),
                                products.As(),  mean_of_x.As()};
  EachChannel(channels, step);
}

void UpdateRunning(KernelContext&, View running_mean, View running_variance, ConstView mean, ConstView variance,
                   float momentum, int64_t rows, int64_t channels) {
  EachChannel(channels,
              UpdateRunningStep{running_mean.As(), running_variance.As(), mean.As(), variance.As(), momentum, rows});
}

void FoldedNormBackward(KernelContext& context, const FoldedNormGradients& out, const FoldedNormOperands& in,
                        float epsilon, bool relu, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 3, SumsCount(rows));
  float *means = scratch.wide, *slopes = means + rows.width, *shifts = slopes + rows.width;
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelLine line =
        NormLine(in.folded_mean.As()[c], in.variance.As()[c], in.deviation.As()[c], in.beta.As()[c], epsilon);
    Repeat(rows, c, line.mean, means);
    Repeat(rows, c, line.slope, slopes);
    Repeat(rows, c, line.shift, shifts);
  }
  const float *values = in.x.As(), *gradients = in.grad_result.As();
  float* grad_x = out.grad_x.As();
  MapAndSumChannels(
      rows, scratch.sums,
      [=](int64_t begin, int64_t length) __attribute__((always_inline)) {
        if (grad_x == nullptr) return;
        const Vec zero = Broadcast(0.0f);
        ForEachVector(
            length, [=](int64_t i, int n) __attribute__((always_inline)) {
              Vec gradient = LoadSome(gradients + begin + i, n);
              const Vec slope = LoadSome(slopes + i, n);
              if (relu) {
                const Vec result =
                    OnLine(LoadSome(values + begin + i, n), LoadSome(means + i, n), slope, LoadSome(shifts + i, n));
                gradient = ReluSlopeTimes(result, gradient, zero);
              }
              StoreSome(slope * gradient, grad_x + begin + i, n);
            });
      },
      [=](int64_t begin, int64_t i, float& sum, float& products) __attribute__((always_inline)) {
        const float moved = (values[begin + i] - means[i]) * slopes[i];
        float gradient = gradients[begin + i];
        if (relu) gradient = ReluSlopeTimes(moved + shifts[i], gradient, 0.0f);
        sum += gradient;
        products += gradient * moved;
      },
      [&](int64_t c, double sum, double products) __attribute__((always_inline)) {
        const FoldedGradients gradient(sum, products, in.mean.As()[c], in.variance.As()[c], in.gamma.As()[c], epsilon);
        out.grad_mean.As()[c] = gradient.mean;
        out.grad_variance.As()[c] = gradient.variance;
        out.grad_gamma.As()[c] = gradient.gamma;
        out.grad_beta.As()[c] = gradient.beta;
      });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
