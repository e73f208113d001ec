// Batch normalisation (arXiv 1502.03167) of channels, and their statistics alone. x is [..., c], images [n, h, w, c]: a
// channel's mean and variance are over all but the last dimension. float32, contiguous. Sums of a few rows are float32
// (on CUDA none), sums of these double, in an order that the shape alone decides: the same bits for every instruction
// set and thread count; on CUDA in another order.
#ifndef BITGATE_OPS_NORM_NORM_H_
#define BITGATE_OPS_NORM_NORM_H_

#include "ops/elementwise/activation.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct BatchNormParams {
  bool training = true;   // whether x is normalised by its own statistics, else by the running ones
  float momentum = 0.1f;  // in [0, 1]: what the batch weighs in the running statistics
  float epsilon = 1e-5f;  // above 0
  Activation activation = Activation::kNone;
};

// y = activation(gamma (x - mean) / sqrt(variance + epsilon) + beta); all but x [c].
// In training, mean and (biased) variance are those of x, which has at least one row, and are differentiated too;
//   running_mean     <- (1 - momentum) running_mean     + momentum mean
//   running_variance <- (1 - momentum) running_variance + momentum variance rows / (rows - 1)     (1 row: variance)
// in place, but for channels whose mean or variance is not finite, and `statistics`, if not null, becomes [2, c]: mean
// and variance, constants. Otherwise the running statistics are used, as constants that must not change before the
// backward. Saves x, gamma, the statistics, and y when there is an activation.
Tensor BatchNorm(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                 const Tensor& running_variance, const BatchNormParams& params = {}, Tensor* statistics = nullptr);

// [2, c]: the mean and the biased variance of each channel, of at least one row. Saves x and the result.
Tensor ChannelStatistics(Context& context, const Tensor& x);

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_NORM_H_
