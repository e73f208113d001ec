#include "ops/norm/norm.h"

#include "ops/elementwise/elementwise.h"
#include "ops/norm/norm_kernels.h"
#include "ops/norm/norm_steps.h"
#include "ops/operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

struct Saved {
  Tensor x, gamma, y;  // y where there is an activation
  Statistics statistics;
  BatchNormParams params;
};

void BatchNormBackward(Context& context, const Saved& saved, const Tensor& grad_result, GradientSink& sink) {
  const Tensor grad_y = ActivationGradient(context, saved.params.activation, saved.y, grad_result);
  const NormGradients gradients =
      NormalisedBackward(context, "batch_norm backward", grad_y, saved.x, saved.statistics, saved.gamma,
                         saved.params.epsilon, saved.params.training, sink.Needs(0), sink.Needs(1) || sink.Needs(2));
  if (sink.Needs(0)) sink.Set(0, gradients.x);
  sink.Set(1, gradients.gamma);
  sink.Set(2, gradients.beta);
}

}  // namespace

Tensor BatchNorm(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                 const Tensor& running_variance, const BatchNormParams& params, Tensor* statistics) {
  constexpr const char* kOp = "batch_norm";
  const ChannelMatrix size = CheckedMatrix(context, kOp, "x", x);
  const Shape channels = {size.channels};
  CheckOperandShape(context, kOp, "gamma", gamma, channels);
  CheckOperandShape(context, kOp, "beta", beta, channels);
  CheckOperandShape(context, kOp, "running_mean", running_mean, channels);
  CheckOperandShape(context, kOp, "running_variance", running_variance, channels);
  CheckMomentum(kOp, params.momentum);
  CheckEpsilon(kOp, params.epsilon);
  Statistics used(running_mean, running_variance);
  if (params.training) {
    CheckHasRows(kOp, size, "x", x);
    const Tensor both = ComputeStatistics(context, kOp, x, running_mean, running_variance, params.momentum);
    used = Statistics(both);
    if (statistics != nullptr) *statistics = both;
  }
  Tensor y = Normalised(context, kOp, x, used, gamma, beta, params.epsilon, params.activation);
  const Saved saved{x, gamma, params.activation == Activation::kNone ? Tensor() : y, used, params};
  RecordOp(context, {&x, &gamma, &beta}, y, [saved](Context& context, const Tensor& grad_y, GradientSink& sink) {
    BatchNormBackward(context, saved, grad_y, sink);
  });
  return y;
}

Tensor ChannelStatistics(Context& context, const Tensor& x) {
  constexpr const char* kOp = "channel_statistics";
  const ChannelMatrix size = CheckedMatrix(context, kOp, "x", x);
  CheckHasRows(kOp, size, "x", x);
  Tensor y = ComputeStatistics(context, kOp, x, {}, {}, 0);
  RecordOp(context, {&x}, y, [x, y, size](Context& context, const Tensor& grad_y, GradientSink& sink) {
    Tensor grad_x = Empty(context, x.shape());
    const Statistics gradient(grad_y);
    static const KernelTable<decltype(cpu::scalar::ChannelStatisticsBackward)> kernels{
        BG_CPU_KERNEL(ChannelStatisticsBackward), BG_CUDA_KERNEL(ChannelStatisticsBackward)};
    kernels.For(context.device(), "channel_statistics backward")(context.kernel(), grad_x.view(), gradient.mean.view(),
                                                                 gradient.variance.view(), x.view(),
                                                                 Statistics(y).mean.view(), size.rows, size.channels);
    sink.Set(0, grad_x);
  });
  return y;
}

}  // namespace bitgate
