// The formulas of batch normalisation, of one channel and of one element. Elements' are templates over the value type.
#ifndef BITGATE_OPS_NORM_NORM_MATH_H_
#define BITGATE_OPS_NORM_NORM_MATH_H_

#include <float.h>
#include <stdint.h>

#include "runtime/base/math.h"

namespace bitgate {

// What the sums of (x - shift) and (x - shift)^2 over `rows` make of a channel. Any of its values will do as the shift:
// it keeps the difference of squares from cancelling where the mean is large.
struct ChannelMoments {
  float mean, variance;

  BG_HD_INLINE ChannelMoments(double sum, double squares, float shift, int64_t rows) {
    const double n = static_cast<double>(rows), moved = sum / n;
    mean = static_cast<float>(static_cast<double>(shift) + moved);
    variance = static_cast<float>(Max(squares / n - moved * moved, 0.0));
  }
};

BG_HD_INLINE float Running(float before, float batch, float momentum) {
  return (1.0f - momentum) * before + momentum * batch;
}

BG_HD_INLINE float UnbiasedVariance(float variance, int64_t rows) {
  if (rows < 2) return variance;
  const double n = static_cast<double>(rows);
  return static_cast<float>(static_cast<double>(variance) * n / (n - 1.0));
}

// Moves a channel's running statistics towards those of a batch; leaves them where these are not finite: one such batch
// would stay in them for ever.
BG_HD_INLINE void MoveRunning(float* running_mean, float* running_variance, float mean, float variance, float momentum,
                              int64_t rows) {
  const float unbiased = UnbiasedVariance(variance, rows);
  if (!(Abs(mean) <= FLT_MAX && Abs(unbiased) <= FLT_MAX)) return;
  *running_mean = Running(*running_mean, mean, momentum);
  *running_variance = Running(*running_variance, unbiased, momentum);
}

BG_HD_INLINE float InverseDeviation(float variance, float epsilon) { return 1.0f / Sqrt(variance + epsilon); }

// y = slope (x - mean) + shift: the result (slope = gamma / sigma, shift = beta), and the gradient of the statistics.
struct ChannelLine {
  float mean, slope, shift;
};

BG_HD_INLINE ChannelLine NormLine(float mean, float variance, float gamma, float beta, float epsilon) {
  return {mean, gamma * InverseDeviation(variance, epsilon), beta};
}

// d mean / dx = 1 / rows, d variance / dx = 2 (x - mean) / rows.
BG_HD_INLINE ChannelLine StatisticsGradientLine(float mean, float grad_mean, float grad_variance, int64_t rows) {
  const double n = static_cast<double>(rows);
  return {mean, static_cast<float>(2.0 * static_cast<double>(grad_variance) / n),
          static_cast<float>(static_cast<double>(grad_mean) / n)};
}

template <class V>
BG_HD_INLINE V OnLine(V x, V mean, V slope, V shift) {
  return (x - mean) * slope + shift;
}

// grad_x = gamma / sigma (grad_y - mean(grad_y) - x' mean(grad_y x')), x' = (x - mean) / sigma: the line through x of
// what is added to slope grad_y. grad_gamma = sum(grad_y x'), grad_beta = sum(grad_y).
struct ChannelGradient {
  float slope;
  ChannelLine line;
};

BG_HD_INLINE ChannelGradient NormGradient(float mean, float variance, float gamma, float grad_gamma, float grad_beta,
                                          float epsilon, int64_t rows) {
  const float inverse = InverseDeviation(variance, epsilon), slope = gamma * inverse;
  const double n = static_cast<double>(rows);
  return {slope,
          {mean, -(slope * inverse * static_cast<float>(static_cast<double>(grad_gamma) / n)),
           -(slope * static_cast<float>(static_cast<double>(grad_beta) / n))}};
}

template <class V>
BG_HD_INLINE V NormGradientOf(V grad_y, V x, V slope, V mean, V line_slope, V line_shift) {
  return slope * grad_y + OnLine(x, mean, line_slope, line_shift);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_NORM_MATH_H_
