#include "ops/norm/channels_cpu.h"
#include "ops/norm/norm_kernels.h"
#include "ops/norm/norm_math.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {

void ChannelStatistics(KernelContext& context, View mean, View variance, View running_mean, View running_variance,
                       ConstView x, float momentum, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 1, SumsCount(rows));
  for (int64_t c = 0; c < channels; ++c) Repeat(rows, c, x.As()[c], scratch.wide);
  const float *values = x.As(), *shift = scratch.wide;
  SumChannels(
      rows, scratch.sums,
      [=](int64_t begin, int64_t i, float& sum, float& squares) __attribute__((always_inline)) {
        const float moved = values[begin + i] - shift[i];
        sum += moved;
        squares += moved * moved;
      },
      [&](int64_t c, double sum, double squares) __attribute__((always_inline)) {
        const ChannelMoments moments(sum, squares, values[c], row_count);
        mean.As()[c] = moments.mean;
        variance.As()[c] = moments.variance;
        if (running_mean.data == nullptr) return;
        MoveRunning(running_mean.As() + c, running_variance.As() + c, moments.mean, moments.variance, momentum,
                    row_count);
      });
}

void ChannelStatisticsBackward(KernelContext& context, View grad_x, ConstView grad_mean, ConstView grad_variance,
                               ConstView x, ConstView mean, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 3, 0);
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelLine line = StatisticsGradientLine(mean.As()[c], grad_mean.As()[c], grad_variance.As()[c], row_count);
    Repeat(rows, c, line.mean, scratch.wide);
    Repeat(rows, c, line.slope, scratch.wide + rows.width);
    Repeat(rows, c, line.shift, scratch.wide + 2 * rows.width);
  }
  MapLines(rows, x.As(), scratch.wide, /*relu=*/false, grad_x.As());
}

void BatchNormForward(KernelContext& context, View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma,
                      ConstView beta, float epsilon, bool relu, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 3, 0);
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelLine line = NormLine(mean.As()[c], variance.As()[c], gamma.As()[c], beta.As()[c], epsilon);
    Repeat(rows, c, line.mean, scratch.wide);
    Repeat(rows, c, line.slope, scratch.wide + rows.width);
    Repeat(rows, c, line.shift, scratch.wide + 2 * rows.width);
  }
  MapLines(rows, x.As(), scratch.wide, relu, y.As());
}

void BatchNormBackwardChannels(KernelContext& context, View grad_gamma, View grad_beta, ConstView grad_y, ConstView x,
                               ConstView mean, ConstView variance, float epsilon, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 2, SumsCount(rows));
  float *means = scratch.wide, *inverses = scratch.wide + rows.width;
  for (int64_t c = 0; c < channels; ++c) {
    Repeat(rows, c, mean.As()[c], means);
    Repeat(rows, c, InverseDeviation(variance.As()[c], epsilon), inverses);
  }
  const float *values = x.As(), *gradients = grad_y.As();
  SumChannels(
      rows, scratch.sums,
      [=](int64_t begin, int64_t i, float& sum, float& products) __attribute__((always_inline)) {
        const float gradient = gradients[begin + i];
        sum += gradient;
        products += gradient * ((values[begin + i] - means[i]) * inverses[i]);
      },
      [&](int64_t c, double sum, double products) __attribute__((always_inline)) {
        grad_beta.As()[c] = static_cast<float>(sum);
        grad_gamma.As()[c] = static_cast<float>(products);
      });
}

void BatchNormBackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView x, ConstView mean,
                           ConstView variance, ConstView gamma, ConstView grad_gamma, ConstView grad_beta,
                           float epsilon, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 4, 0);
  float *slopes = scratch.wide, *means = slopes + rows.width, *line_slopes = means + rows.width,
        *line_shifts = line_slopes + rows.width;
  const bool constant = grad_gamma.data == nullptr;
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelGradient gradient =
        NormGradient(mean.As()[c], variance.As()[c], gamma.As()[c], constant ? 0.0f : grad_gamma.As()[c],
                     constant ? 0.0f : grad_beta.As()[c], epsilon, row_count);
    Repeat(rows, c, gradient.slope, slopes);
    Repeat(rows, c, gradient.line.mean, means);
    Repeat(rows, c, gradient.line.slope, line_slopes);
    Repeat(rows, c, gradient.line.shift, line_shifts);
  }
  ParallelFor(rows.count, rows.grain(), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const float *from = x.As() + r * rows.width, *gradients = grad_y.As() + r * rows.width;
      float* to = grad_x.As() + r * rows.width;
      ForEachVector(
          rows.Length(r), [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec gradient = LoadSome(gradients + i, n), slope = LoadSome(slopes + i, n);
            const Vec value = constant ? slope * gradient
                                       : NormGradientOf(gradient, LoadSome(from + i, n), slope, LoadSome(means + i, n),
                                                        LoadSome(line_slopes + i, n), LoadSome(line_shifts + i, n));
            StoreSome(value, to + i, n);
          });
    }
  });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
