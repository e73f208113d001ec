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

// A channel whose gate is less tells nothing of the layer without gates.
constexpr float kLeastGate = 1.0f / 16.0f;

// What UnfoldStep makes of a channel: its result is scale (x - mean) / sqrt(scaled) + beta. The gradient of gamma is
//   share sum(g (x - mean)) / sqrt(scaled) + shift sum(g)
// and `inverse_gate` is 1 / gate, or 0 where mean and scaled are constants.
struct UnfoldedChannels {
  float *mean, *scaled, *scale, *share, *shift, *inverse_gate;

  BG_HD_INLINE void Set(int64_t c, double of_mean, double of_scaled, double of_scale, double of_share, double of_shift,
                        double of_inverse_gate) const {
    mean[c] = static_cast<float>(of_mean);
    scaled[c] = static_cast<float>(of_scaled);
    scale[c] = static_cast<float>(of_scale);
    share[c] = static_cast<float>(of_share);
    shift[c] = static_cast<float>(of_shift);
    inverse_gate[c] = static_cast<float>(of_inverse_gate);
  }
};

// With m0 and v0 the statistics of x without its gate, mean / gate and variance / gate^2:
//   sigma_run / sqrt(v0 / gain^2 + epsilon) = |gamma| / sqrt(scaled), scaled = v0 + epsilon gain^2,
// batch norm of x with m0 for its mean, `scaled` for variance + epsilon and |gamma| for gamma, which may be 0. Its
// gradient goes on to gamma as
//   d slope / d gamma = (d slope / d gain) / sigma_run = slope v0 / (scaled gamma):
// `share` times what batch norm has for |gamma|, which is sum(g (x - m0)) / sqrt(scaled). Below kLeastGate the running
// statistics take the place of m0 and v0: slope 1, and what FoldShift adds.
//
// Statistics of the float layer, times gain and gain^2, take the place of m0 and v0 in the result. In the gradient they
// are m0 / gain and v0 / gain^2 of x all the same; gamma is left with the shift
//   d (gamma (m0 / gain - float_mean) / sigma) / d gamma, sigma = sqrt(float_variance + epsilon)
// and below kLeastGate, where they are constants, with -float_mean / sigma.
struct UnfoldStep {
  UnfoldedChannels out;
  float *running_mean, *running_variance;
  const float *mean, *variance;              // of x
  const float *float_mean, *float_variance;  // of the float layer, or both null
  const float *gamma, *gates;                // no gates: ones
  float momentum, epsilon;
  int64_t rows;

  BG_HD_INLINE void operator()(int64_t c) const {
    const float deviation = Deviation(running_variance[c], epsilon);
    const double gain = static_cast<double>(gamma[c] / deviation), run = static_cast<double>(running_mean[c]);
    const bool of_float = float_mean != nullptr, is_open = gates == nullptr || gates[c] >= kLeastGate;
    double inverse = is_open ? 1.0 : 0.0;
    if (is_open && gates != nullptr) inverse = 1.0 / static_cast<double>(gates[c]);
    const double open_mean = static_cast<double>(mean[c]) * inverse;
    const double open_variance = static_cast<double>(variance[c]) * inverse * inverse;
    const double used_mean = of_float ? static_cast<double>(float_mean[c]) * gain : open_mean;
    const double used_variance = of_float ? static_cast<double>(float_variance[c]) * gain * gain : open_variance;
    const double both = used_variance + static_cast<double>(epsilon) * gain * gain;
    if (of_float) {
      MoveRunning(running_mean + c, running_variance + c, float_mean[c], float_variance[c], momentum, rows);
    }
    if (!(gain != 0.0 && static_cast<float>(both) >= FLT_MIN)) {
      out.Set(c, used_mean, 1.0, 0.0, 0.0, 0.0, 0.0);
      return;
    }
    if (!is_open && !of_float) {
      out.Set(c, gain * run, 1.0, 1.0, 0.0, -run / static_cast<double>(deviation), 0.0);
      return;
    }
    const double sign = gain < 0.0 ? -1.0 : 1.0;
    const double shift = of_float ? sign * (open_mean - used_mean) / Sqrt(both) : 0.0;
    out.Set(c, used_mean, both, static_cast<double>(Abs(gamma[c])), sign * open_variance / both, shift, inverse);
    if (of_float) return;
    // The weight of a layer that is constant may have been quantized to 0. Were its variance to go to 0, its gain would
    // grow, and the weight that is not used.
    const float kept = running_variance[c];
    MoveRunning(running_mean + c, running_variance + c, static_cast<float>(open_mean / gain),
                static_cast<float>(open_variance / (gain * gain)), momentum, rows);
    if (variance[c] == 0.0f) running_variance[c] = kept;
  }
};

// The gradients of UnfoldStep's channel, with sum = sum(g), products = sum(g (x - m)) / sqrt(scaled), m its `mean`, and
// slope = scale / sqrt(scaled):
//   d/dm0 = -slope sum,  d/dv0 = -slope products / (2 sqrt(scaled)).
// m0 is the mean of x over the gate, v0 its variance over gate^2: the gradient of x is that of batch norm with sum /
// gate and products / gate^2 for its sums. What is left is the gate's own,
//   d/dgate = -m0 / gate d/dm0 - 2 v0 / gate d/dv0 = (slope m0 sum + scale |share| products) / gate,
// which takes from the gradient that reaches the gate by x what has gone through m0 and v0: they do not depend on it.
struct UnfoldGradientStep {
  UnfoldedChannels channels;
  float *grad_gamma, *grad_gates, *sum_of_x, *products_of_x;  // grad_gates may be null
  const float *sum, *products, *mean_of_x;

  BG_HD_INLINE void operator()(int64_t c) const {
    const double of_sum = static_cast<double>(sum[c]), of_products = static_cast<double>(products[c]);
    const double share = static_cast<double>(channels.share[c]), scale = static_cast<double>(channels.scale[c]);
    const double inverse = static_cast<double>(channels.inverse_gate[c]);
    grad_gamma[c] = static_cast<float>(share * of_products + static_cast<double>(channels.shift[c]) * of_sum);
    sum_of_x[c] = static_cast<float>(of_sum * inverse);
    products_of_x[c] = static_cast<float>(of_products * inverse * inverse);
    if (grad_gates == nullptr) return;
    const double slope = scale / Sqrt(static_cast<double>(channels.scaled[c]));
    const double open_mean = static_cast<double>(mean_of_x[c]) * inverse;
    const double of_statistics = slope * open_mean * of_sum + scale * Abs(share) * of_products;
    grad_gates[c] = static_cast<float>(inverse * of_statistics);
  }
};

struct UpdateRunningStep {
  float *running_mean, *running_variance;
  const float *mean, *variance;
  float momentum;
  int64_t rows;

  BG_HD_INLINE void operator()(int64_t c) const {
    MoveRunning(running_mean + c, running_variance + c, mean[c], variance[c], momentum, rows);
  }
};

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_FOLDED_NORM_MATH_H_
