// Batch norm folded into a quantized weight, as Bayesian Bits trains it (arXiv 2005.07093): the weight is scaled by
// gain = gamma / sigma_run before it is quantized, with sigma_run = sqrt(running_variance + epsilon), and what comes
// out of the convolution is corrected for the statistics of the batch.
//
// A step of training that sees the statistics of the unquantized layer:
//     statistics = ChannelStatistics(Conv2d(x, w))
//     y          = FoldedBatchNorm(Conv2d(x, quantized(ScaleRows(w, FoldedGain(...)))), statistics, ...)
//     UpdateRunningStatistics(...)
// the same with one convolution: FoldedBatchNormOfResult; evaluating, or with frozen statistics: FoldedShift is the
// convolution's bias. The derivation of the gradients is in folded_norm_math.h.
//
// float32, contiguous; a channel has one value in gamma, beta, and the running statistics [c], which are constants: no
// gradient goes to them. Backward reads none of them, so they may be updated in place once the forward has run. Sums
// are accumulated as in ops/norm/norm.h. Nothing is read on the host.
#ifndef BITGATE_OPS_NORM_FOLDED_NORM_H_
#define BITGATE_OPS_NORM_FOLDED_NORM_H_

#include "ops/elementwise/activation.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// w [o, ...], gain [o]: each row of w times its gain. The gradient of the gain is a sum over its row. Saves both.
Tensor ScaleRows(Context& context, const Tensor& w, const Tensor& gain);

// gamma / sigma_run. Saves 1 / sigma_run.
Tensor FoldedGain(Context& context, const Tensor& gamma, const Tensor& running_variance, float epsilon = 1e-5f);

// beta - gamma running_mean / sigma_run. Saves running_mean / sigma_run.
Tensor FoldedShift(Context& context, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                   const Tensor& running_variance, float epsilon = 1e-5f);

struct FoldedBatchNormParams {
  float epsilon = 1e-5f;  // above 0
  Activation activation = Activation::kNone;
};

// x [..., c] of the folded, quantized weight; statistics [2, c], mean and biased variance, of the float weight's
// result:
//   activation(x sigma_run / sigma_batch + beta - gamma mean / sigma_batch),  sigma_batch = sqrt(variance + epsilon)
// Gradients go to x, statistics, gamma (through the shift; what it does in the weight is FoldedGain's) and beta.
// Statistics off the tape are constants. Saves x, statistics, gamma, beta, and two values a channel.
Tensor FoldedBatchNorm(Context& context, const Tensor& x, const Tensor& statistics, const Tensor& gamma,
                       const Tensor& beta, const Tensor& running_variance, const FoldedBatchNormParams& params = {});

struct FoldedBatchNormOfResultParams {
  float momentum = 0.1f;  // in [0, 1]: what the batch weighs in the running statistics
  float epsilon = 1e-5f;  // above 0
  Activation activation = Activation::kNone;
  // Mean and biased variance [2, c] of the float weight's result, constants: taken in place of those of x.
  Tensor statistics = {};
};

// The same with mean and variance of x itself, of at least one row, the gain undone, and the channel gates [c] by which
// the weight's rows were multiplied after quantizing (undefined: ones). With mean and variance those of the result
// without gates, the mean of x over the gate and its variance over gate^2:
//   activation(sigma_run (x - mean) / sqrt(variance / gain^2 + epsilon) + beta),  gain = gamma / sigma_run
// and beta alone where the gain is 0, or so small that the variance underflows. In place, but for those channels,
//   running_mean     <- (1 - momentum) running_mean     + momentum mean / gain
//   running_variance <- (1 - momentum) running_variance + momentum variance / gain^2 rows / (rows - 1)
// the latter not where the variance is 0, and neither where it or the mean is not finite. A channel whose gate is below
// 1/16 tells nothing of its layer: it is normalised by its running statistics, which stay,
//   activation(x + beta - gamma running_mean / sigma_run).
//
// Gradients go to x (through mean and variance too), gamma (through the gain that is undone; below 1/16 through the
// shift), beta, and gates: what mean and variance are divided by, so that with what reaches a gate by x it has the
// gradient of constant statistics. With x the convolution with quantized(w gain), a channel whose gamma is 0 has no
// gradient and stays as it is. Saves x, the mean, six values a channel, and the result where there is an activation.
//
// With `statistics` of the float weight the result is FoldedBatchNorm's, and the running statistics move towards these,
// also of closed channels. Their gradient goes straight through quantizing, to x as if they were its own (not so below
// a gate of 1/16, where they are constants): a normalisation whose gradient leaves out its statistics does not learn,
// because weights grow in the directions that it undoes (Ioffe and Szegedy, arXiv 1502.03167, section 2).
Tensor FoldedBatchNormOfResult(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                               const Tensor& gates, const Tensor& running_mean, const Tensor& running_variance,
                               const FoldedBatchNormOfResultParams& params = {});

// Moves the running statistics, in place and as BatchNorm does, towards `statistics` [2, c], mean and biased variance
// of `rows` (at least one) values a channel; not of channels where either is not finite. Nothing is recorded.
void UpdateRunningStatistics(Context& context, const Tensor& running_mean, const Tensor& running_variance,
                             const Tensor& statistics, int64_t rows, float momentum = 0.1f);

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_FOLDED_NORM_H_
