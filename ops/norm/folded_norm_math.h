// The formulas of batch norm that is folded into a quantized weight, a channel at a time. Each step is what both
// devices' kernels do for channel c.
#ifndef BITGATE_OPS_NORM_FOLDED_NORM_MATH_H_
#define BITGATE_OPS_NORM_FOLDED_NORM_MATH_H_

#include <float.h>

#include "ops/norm/norm_math.h"

namespace bitgate {

BG_HD_INLINE float Deviation(float variance, float epsilon) { return Sqrt(variance + epsilon); }

// gain = gamma / sigma; d gain / d gamma = 1 / sigma.
struct FoldGainStep {
  float *gain, *inverse;
  const float *gamma, *variance;
  float epsilon;

  BG_HD_INLINE void operator()(int64_t c) const {
    const float deviation = Deviation(variance[c], epsilon);
    gain[c] = gamma[c] / deviation;
    inverse[c] = 1.0f / deviation;
  }
};

// shift = beta + slope gamma, slope = -mean / sigma.
struct FoldShiftStep {
  float *shift, *slope;
  const float *gamma, *beta, *mean, *variance;
  float epsilon;

  BG_HD_INLINE void operator()(int64_t c) const {
    slope[c] = -(mean[c] / Deviation(variance[c], epsilon));
    shift[c] = beta[c] + slope[c] * gamma[c];
  }
};

// x sigma_run / sigma_batch + beta - gamma mean / sigma_batch is (x - m) sigma_run / sigma_batch + beta with
// m = gamma mean / sigma_run: batch norm of x with that mean and sigma_run for its gamma.
struct FoldNormStep {
  float *folded_mean, *deviation;
  const float *gamma, *mean, *running_variance;
  float epsilon;

  BG_HD_INLINE void operator()(int64_t c) const {
    deviation[c] = Deviation(running_variance[c], epsilon);
    folded_mean[c] = gamma[c] * mean[c] / deviation[c];
  }
};

// With r = x sigma_run / sigma_batch - gamma mean / sigma_batch, before beta is added, and g its gradient:
//   dr/dbeta = 1,  dr/dgamma = -mean / sigma_batch,  dr/dmean = -gamma / sigma_batch,  dr/dvariance = -r / (2
//   sigma_batch^2)
// sum = sum(g), products = sum(g r).
struct FoldedGradients {
  float mean, variance, gamma, beta;

  BG_HD_INLINE FoldedGradients(double sum, double products, float batch_mean, float batch_variance, float of_gamma,
                               float epsilon) {
    const double inverse = 1.0 / Sqrt(static_cast<double>(batch_variance) + static_cast<double>(epsilon));
    mean = static_cast<float>(-(static_cast<double>(of_gamma) * inverse * sum));
    variance = static_cast<float>(-0.5 * inverse * inverse * products);
    gamma = static_cast<float>(-(static_cast<double>(batch_mean) * inverse * sum));
    beta = static_cast<float>(sum);
  }
};

// sigma_run / sqrt(variance / gain^2 + epsilon) = |gamma| / sqrt(scaled), scaled = variance + epsilon gain^2: batch
// norm of y with `scaled` for variance + epsilon and |gamma| for gamma, which may be 0. Its gradient goes on to gamma
// as
//   d slope / d gamma = (d slope / d gain) / sigma_run = slope variance / (scaled gamma):
// `share` times what batch norm has for |gamma|, which is sum(g (x - mean)) / sqrt(scaled).
struct UnfoldStep {
  float *scaled, *scale, *share, *running_mean, *running_variance;
  const float *mean, *variance, *gamma;
  float momentum, epsilon;
  int64_t rows;

  BG_HD_INLINE void operator()(int64_t c) const {
    const double gain = static_cast<double>(gamma[c] / Deviation(running_variance[c], epsilon));
    const double both = static_cast<double>(variance[c]) + static_cast<double>(epsilon) * gain * gain;
    const bool is_folded = gain != 0.0 && static_cast<float>(both) >= FLT_MIN;
    scaled[c] = is_folded ? static_cast<float>(both) : 1.0f;
    scale[c] = is_folded ? Abs(gamma[c]) : 0.0f;
    if (!is_folded) {
      share[c] = 0.0f;
      return;
    }
    const double unsigned_share = static_cast<double>(variance[c]) / both;
    share[c] = static_cast<float>(gain < 0.0 ? -unsigned_share : unsigned_share);
    const float batch_mean = static_cast<float>(static_cast<double>(mean[c]) / gain);
    const float batch_variance = static_cast<float>(static_cast<double>(variance[c]) / (gain * gain));
    running_mean[c] = Running(running_mean[c], batch_mean, momentum);
    // A pruned channel is constant. Were its variance to go to 0, its gain would grow, and the weight that is not used.
    if (variance[c] == 0.0f) return;
    running_variance[c] = Running(running_variance[c], UnbiasedVariance(batch_variance, rows), momentum);
  }
};

struct UpdateRunningStep {
  float *running_mean, *running_variance;
  const float *mean, *variance;
  float momentum;
  int64_t rows;

  BG_HD_INLINE void operator()(int64_t c) const {
    running_mean[c] = Running(running_mean[c], mean[c], momentum);
    running_variance[c] = Running(running_variance[c], UnbiasedVariance(variance[c], rows), momentum);
  }
};

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_FOLDED_NORM_MATH_H_
