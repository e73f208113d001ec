#include "ops/norm/folded_norm.h"

#include "ops/elementwise/elementwise.h"
#include "ops/norm/folded_norm_kernels.h"
#include "ops/norm/norm_steps.h"
#include "ops/operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// The number of channels that gamma [c] has.
int64_t CheckedChannels(const Context& context, const char* op, const Tensor& gamma) {
  CheckOperand(context, op, "gamma", gamma);
  if (gamma.shape().rank() != 1 || gamma.size() == 0) {
    throw InvalidArgument(op, ": expected gamma of shape [c] with at least one channel, got ", gamma.shape());
  }
  return gamma.size();
}

}  // namespace

Tensor ScaleRows(Context& context, const Tensor& w, const Tensor& gain) {
  constexpr const char* kOp = "scale_rows";
  CheckOperand(context, kOp, "w", w);
  if (w.shape().rank() < 1) throw InvalidArgument(kOp, ": expected w of shape [o, ...], got ", w.shape());
  const int64_t rows = w.shape()[0], elements = rows == 0 ? 0 : w.size() / rows;
  CheckOperandShape(context, kOp, "gain", gain, {rows});
  Tensor y = Empty(context, w.shape());
  static const KernelTable<decltype(cpu::scalar::ScaleRows)> kernels{BG_CPU_KERNEL(ScaleRows),
                                                                     BG_CUDA_KERNEL(ScaleRows)};
  kernels.For(context.device(), kOp)(context.kernel(), y.view(), w.view(), gain.view(), rows, elements);
  RecordOp(context, {&w, &gain}, y,
           [w, gain, rows, elements](Context& context, const Tensor& grad_y, GradientSink& sink) {
             const Tensor grad_w = sink.Needs(0) ? Empty(context, w.shape()) : Tensor();
             const Tensor grad_gain = sink.Needs(1) ? Empty(context, gain.shape()) : Tensor();
             static const KernelTable<decltype(cpu::scalar::ScaleRowsBackward)> kernels{
                 BG_CPU_KERNEL(ScaleRowsBackward), BG_CUDA_KERNEL(ScaleRowsBackward)};
             kernels.For(context.device(), "scale_rows backward")(context.kernel(), grad_w.view(), grad_gain.view(),
                                                                  w.view(), gain.view(), grad_y.view(), rows, elements);
             sink.Set(0, grad_w);
             sink.Set(1, grad_gain);
           });
  return y;
}

Tensor FoldedGain(Context& context, const Tensor& gamma, const Tensor& running_variance, float epsilon) {
  constexpr const char* kOp = "folded_gain";
  const int64_t channels = CheckedChannels(context, kOp, gamma);
  CheckOperandShape(context, kOp, "running_variance", running_variance, gamma.shape());
  CheckEpsilon(kOp, epsilon);
  Tensor gain = Empty(context, gamma.shape());
  const Tensor inverse = Empty(context, gamma.shape());
  static const KernelTable<decltype(cpu::scalar::FoldGain)> kernels{BG_CPU_KERNEL(FoldGain), BG_CUDA_KERNEL(FoldGain)};
  kernels.For(context.device(), kOp)(context.kernel(), gain.view(), inverse.view(), gamma.view(),
                                     running_variance.view(), epsilon, channels);
  RecordOp(context, {&gamma}, gain, [inverse](Context& context, const Tensor& grad_gain, GradientSink& sink) {
    sink.Set(0, Mul(context, grad_gain, inverse));
  });
  return gain;
}

Tensor FoldedShift(Context& context, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                   const Tensor& running_variance, float epsilon) {
  constexpr const char* kOp = "folded_shift";
  const int64_t channels = CheckedChannels(context, kOp, gamma);
  CheckOperandShape(context, kOp, "beta", beta, gamma.shape());
  CheckOperandShape(context, kOp, "running_mean", running_mean, gamma.shape());
  CheckOperandShape(context, kOp, "running_variance", running_variance, gamma.shape());
  CheckEpsilon(kOp, epsilon);
  Tensor shift = Empty(context, gamma.shape());
  const Tensor slope = Empty(context, gamma.shape());
  static const KernelTable<decltype(cpu::scalar::FoldShift)> kernels{BG_CPU_KERNEL(FoldShift),
                                                                     BG_CUDA_KERNEL(FoldShift)};
  kernels.For(context.device(), kOp)(context.kernel(), shift.view(), slope.view(), gamma.view(), beta.view(),
                                     running_mean.view(), running_variance.view(), epsilon, channels);
  RecordOp(context, {&gamma, &beta}, shift, [slope](Context& context, const Tensor& grad_shift, GradientSink& sink) {
    if (sink.Needs(0)) sink.Set(0, Mul(context, grad_shift, slope));
    sink.Set(1, grad_shift);
  });
  return shift;
}

namespace {

struct SavedNorm {
  Tensor x, statistics, gamma, beta, folded_mean, deviation;
  FoldedBatchNormParams params;
};

// One pass over x. What the activation lets through is found again from x, bit for bit.
void FoldedBatchNormBackward(Context& context, const SavedNorm& saved, const Tensor& grad_result, GradientSink& sink) {
  const ChannelMatrix size(saved.x.shape());
  const Tensor grad_x = sink.Needs(0) ? Empty(context, saved.x.shape()) : Tensor();
  const Tensor grad_statistics = Empty(context, {2, size.channels});
  const Tensor grad_gamma = Empty(context, {size.channels}), grad_beta = Empty(context, {size.channels});
  const Statistics gradients(grad_statistics), batch(saved.statistics);
  const FoldedNormGradients out{grad_x.view(), gradients.mean.view(), gradients.variance.view(), grad_gamma.view(),
                                grad_beta.view()};
  const FoldedNormOperands in{grad_result.view(), saved.x.view(),    batch.mean.view(),        batch.variance.view(),
                              saved.gamma.view(), saved.beta.view(), saved.folded_mean.view(), saved.deviation.view()};
  static const KernelTable<decltype(cpu::scalar::FoldedNormBackward)> kernels{BG_CPU_KERNEL(FoldedNormBackward),
                                                                              BG_CUDA_KERNEL(FoldedNormBackward)};
  kernels.For(context.device(), "folded_batch_norm backward")(context.kernel(), out, in, saved.params.epsilon,
                                                              saved.params.activation == Activation::kRelu, size.rows,
                                                              size.channels);
  sink.Set(0, grad_x);
  sink.Set(1, grad_statistics);
  sink.Set(2, grad_gamma);
  sink.Set(3, grad_beta);
}

}  // namespace

Tensor FoldedBatchNorm(Context& context, const Tensor& x, const Tensor& statistics, const Tensor& gamma,
                       const Tensor& beta, const Tensor& running_variance, const FoldedBatchNormParams& params) {
  constexpr const char* kOp = "folded_batch_norm";
  const ChannelMatrix size = CheckedMatrix(context, kOp, "x", x);
  const Shape channels = {size.channels};
  CheckOperandShape(context, kOp, "statistics", statistics, {2, size.channels});
  CheckOperandShape(context, kOp, "gamma", gamma, channels);
  CheckOperandShape(context, kOp, "beta", beta, channels);
  CheckOperandShape(context, kOp, "running_variance", running_variance, channels);
  CheckEpsilon(kOp, params.epsilon);
  const Statistics batch(statistics);
  const Tensor folded_mean = Empty(context, channels), deviation = Empty(context, channels);
  static const KernelTable<decltype(cpu::scalar::FoldNorm)> kernels{BG_CPU_KERNEL(FoldNorm), BG_CUDA_KERNEL(FoldNorm)};
  kernels.For(context.device(), kOp)(context.kernel(), folded_mean.view(), deviation.view(), gamma.view(),
                                     batch.mean.view(), running_variance.view(), params.epsilon, size.channels);
  Tensor result = Normalised(context, kOp, x, Statistics(folded_mean, batch.variance), deviation, beta, params.epsilon,
                             params.activation);
  const SavedNorm saved{x, statistics, gamma, beta, folded_mean, deviation, params};
  RecordOp(context, {&x, &statistics, &gamma, &beta}, result,
           [saved](Context& context, const Tensor& grad_result, GradientSink& sink) {
             FoldedBatchNormBackward(context, saved, grad_result, sink);
           });
  return result;
}

namespace {

// UnfoldedChannels, [c] each.
struct Unfolded {
  Tensor mean, scaled, scale, share, shift, inverse_gate;

  Unfolded(Context& context, const Shape& channels)
      : mean(Empty(context, channels)),
        scaled(Empty(context, channels)),
        scale(Empty(context, channels)),
        share(Empty(context, channels)),
        shift(Empty(context, channels)),
        inverse_gate(Empty(context, channels)) {}
  UnfoldedStatistics views() const {
    return {mean.view(), scaled.view(), scale.view(), share.view(), shift.view(), inverse_gate.view()};
  }
};

struct SavedOfResult {
  Tensor x, result;  // the result where there is an activation
  Tensor mean_of_x;
  Unfolded unfolded;
  Activation activation;
};

void FoldedBatchNormOfResultBackward(Context& context, const SavedOfResult& saved, const Tensor& grad_result,
                                     GradientSink& sink) {
  constexpr const char* kOp = "folded_batch_norm_of_result backward";
  const Unfolded& unfolded = saved.unfolded;
  const Shape& channels = unfolded.mean.shape();
  const Tensor gradient = ActivationGradient(context, saved.activation, saved.result, grad_result);
  const NormGradients sums =
      NormSums(context, kOp, gradient, saved.x, Statistics(unfolded.mean, unfolded.scaled), /*epsilon=*/0);
  const Tensor grad_gamma = Empty(context, channels), grad_gates = sink.Needs(3) ? Empty(context, channels) : Tensor();
  NormGradients of_x;  // the sums by which x gets its gradient
  of_x.gamma = Empty(context, channels), of_x.beta = Empty(context, channels);
  const UnfoldGradients out{grad_gamma.view(), grad_gates.view(), of_x.beta.view(), of_x.gamma.view()};
  static const KernelTable<decltype(cpu::scalar::UnfoldBackward)> kernels{BG_CPU_KERNEL(UnfoldBackward),
                                                                          BG_CUDA_KERNEL(UnfoldBackward)};
  kernels.For(context.device(), kOp)(context.kernel(), out, unfolded.views(), sums.beta.view(), sums.gamma.view(),
                                     saved.mean_of_x.view(), channels[0]);
  if (sink.Needs(0)) {
    const Statistics used(saved.mean_of_x, unfolded.scaled);
    sink.Set(0, NormalisedBackwardData(context, kOp, gradient, saved.x, used, unfolded.scale, of_x, /*epsilon=*/0));
  }
  sink.Set(1, grad_gamma);
  sink.Set(2, sums.beta);
  sink.Set(3, grad_gates);
}

}  // namespace

Tensor FoldedBatchNormOfResult(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta,
                               const Tensor& gates, const Tensor& running_mean, const Tensor& running_variance,
                               const FoldedBatchNormOfResultParams& params) {
  constexpr const char* kOp = "folded_batch_norm_of_result";
  const ChannelMatrix size = CheckedMatrix(context, kOp, "x", x);
  const Shape channels = {size.channels};
  CheckOperandShape(context, kOp, "gamma", gamma, channels);
  CheckOperandShape(context, kOp, "beta", beta, channels);
  if (gates.defined()) CheckOperandShape(context, kOp, "gates", gates, channels);
  CheckOperandShape(context, kOp, "running_mean", running_mean, channels);
  CheckOperandShape(context, kOp, "running_variance", running_variance, channels);
  CheckMomentum(kOp, params.momentum);
  CheckEpsilon(kOp, params.epsilon);
  CheckHasRows(kOp, size, "x", x);
  Statistics of_float{Tensor(), Tensor()};
  if (params.statistics.defined()) {
    CheckOperandShape(context, kOp, "statistics", params.statistics, {2, size.channels});
    of_float = Statistics(params.statistics.Detached());
  }
  const Statistics batch(ComputeStatistics(context, kOp, x, {}, {}, 0));
  const Unfolded unfolded(context, channels);
  const UnfoldOperands in{batch.mean.view(),        batch.variance.view(), of_float.mean.view(),
                          of_float.variance.view(), gamma.view(),          gates.view()};
  static const KernelTable<decltype(cpu::scalar::UnfoldStatistics)> kernels{BG_CPU_KERNEL(UnfoldStatistics),
                                                                            BG_CUDA_KERNEL(UnfoldStatistics)};
  kernels.For(context.device(), kOp)(context.kernel(), unfolded.views(), running_mean.view(), running_variance.view(),
                                     in, params.momentum, params.epsilon, size.rows, size.channels);
  Tensor result = Normalised(context, kOp, x, Statistics(unfolded.mean, unfolded.scaled), unfolded.scale, beta,
                             /*epsilon=*/0, params.activation);
  const SavedOfResult saved{x, params.activation == Activation::kNone ? Tensor() : result, batch.mean, unfolded,
                            params.activation};
  RecordOp(context, {&x, &gamma, &beta, &gates}, result,
           [saved](Context& context, const Tensor& grad_result, GradientSink& sink) {
             FoldedBatchNormOfResultBackward(context, saved, grad_result, sink);
           });
  return result;
}

void UpdateRunningStatistics(Context& context, const Tensor& running_mean, const Tensor& running_variance,
                             const Tensor& statistics, int64_t rows, float momentum) {
  constexpr const char* kOp = "update_running_statistics";
  CheckOperand(context, kOp, "running_mean", running_mean, 1);
  const int64_t channels = running_mean.size();
  CheckOperandShape(context, kOp, "running_variance", running_variance, {channels});
  CheckOperandShape(context, kOp, "statistics", statistics, {2, channels});
  CheckMomentum(kOp, momentum);
  if (rows < 1) throw InvalidArgument(kOp, ": expected statistics of at least one row, got ", rows);
  if (channels == 0) return;
  const Statistics batch(statistics);
  static const KernelTable<decltype(cpu::scalar::UpdateRunning)> kernels{BG_CPU_KERNEL(UpdateRunning),
                                                                         BG_CUDA_KERNEL(UpdateRunning)};
  kernels.For(context.device(), kOp)(context.kernel(), running_mean.view(), running_variance.view(), batch.mean.view(),
                                     batch.variance.view(), momentum, rows, channels);
}

}  // namespace bitgate
