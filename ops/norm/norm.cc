#include "ops/norm/norm.h"

#include "ops/elementwise/elementwise.h"
#include "ops/norm/norm_kernels.h"
#include "ops/operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// x as a matrix of a row per place.
struct Size {
  int64_t rows, channels;

  explicit Size(const Shape& shape) : rows(1), channels(shape[shape.rank() - 1]) {
    for (int axis = 0; axis + 1 < shape.rank(); ++axis) rows *= shape[axis];
  }
};

Size CheckedSize(const Context& context, const char* op, const Tensor& x) {
  CheckOperand(context, op, "x", x);
  if (x.shape().rank() < 2 || x.shape()[x.shape().rank() - 1] == 0) {
    throw InvalidArgument(op, ": expected x of shape [..., c] with at least one channel, got ", x.shape());
  }
  return Size(x.shape());
}

void CheckRows(const char* op, const Size& size, const Tensor& x) {
  if (size.rows == 0) throw InvalidArgument(op, ": expected at least one value of each channel, got x ", x.shape());
}

struct Statistics {
  Tensor mean, variance;

  explicit Statistics(const Tensor& both) : mean(SliceView(both, 0, 0, 1)), variance(SliceView(both, 0, 1, 2)) {}
  Statistics(Tensor mean, Tensor variance) : mean(std::move(mean)), variance(std::move(variance)) {}
};

// [2, channels]
Tensor ComputeStatistics(Context& context, const char* op, const Tensor& x, const Size& size,
                         const Tensor& running_mean, const Tensor& running_variance, float momentum) {
  const Tensor both = Empty(context, {2, size.channels});
  const Statistics statistics(both);
  static const KernelTable<decltype(cpu::scalar::ChannelStatistics)> kernels{BG_CPU_KERNEL(ChannelStatistics),
                                                                             BG_CUDA_KERNEL(ChannelStatistics)};
  kernels.For(context.device(), op)(context.kernel(), statistics.mean.view(), statistics.variance.view(),
                                    running_mean.view(), running_variance.view(), x.view(), momentum, size.rows,
                                    size.channels);
  return both;
}

struct Saved {
  Tensor x, gamma, y;  // y where there is an activation
  Statistics statistics;
  BatchNormParams params;
};

void BatchNormBackward(Context& context, const Saved& saved, const Tensor& grad_result, GradientSink& sink);

}  // namespace

Tensor BatchNorm(Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& running_mean,
                 const Tensor& running_variance, const BatchNormParams& params, Tensor* statistics) {
  constexpr const char* kOp = "batch_norm";
  const Size size = CheckedSize(context, kOp, x);
  const Shape channels = {size.channels};
  CheckOperandShape(context, kOp, "gamma", gamma, channels);
  CheckOperandShape(context, kOp, "beta", beta, channels);
  CheckOperandShape(context, kOp, "running_mean", running_mean, channels);
  CheckOperandShape(context, kOp, "running_variance", running_variance, channels);
  if (!(params.momentum >= 0 && params.momentum <= 1) || !(params.epsilon > 0)) {
    throw InvalidArgument("batch_norm: expected momentum in [0, 1] and epsilon above 0, got ", params.momentum, " and ",
                          params.epsilon);
  }
  Statistics used(running_mean, running_variance);
  if (params.training) {
    CheckRows(kOp, size, x);
    const Tensor both = ComputeStatistics(context, kOp, x, size, running_mean, running_variance, params.momentum);
    used = Statistics(both);
    if (statistics != nullptr) *statistics = both;
  }
  Tensor y = Empty(context, x.shape());
  static const KernelTable<decltype(cpu::scalar::BatchNormForward)> kernels{BG_CPU_KERNEL(BatchNormForward),
                                                                            BG_CUDA_KERNEL(BatchNormForward)};
  if (size.rows > 0) {
    kernels.For(context.device(), kOp)(context.kernel(), y.view(), x.view(), used.mean.view(), used.variance.view(),
                                       gamma.view(), beta.view(), params.epsilon,
                                       params.activation == Activation::kRelu, size.rows, size.channels);
  }
  const Saved saved{x, gamma, params.activation == Activation::kNone ? Tensor() : y, used, params};
  RecordOp(context, {&x, &gamma, &beta}, y, [saved](Context& context, const Tensor& grad_y, GradientSink& sink) {
    BatchNormBackward(context, saved, grad_y, sink);
  });
  return y;
}

namespace {

void BatchNormBackward(Context& context, const Saved& saved, const Tensor& grad_result, GradientSink& sink) {
  constexpr const char* kOp = "batch_norm backward";
  const Size size(saved.x.shape());
  const Tensor grad_y = ActivationGradient(context, saved.params.activation, saved.y, grad_result);
  const auto& [mean, variance] = saved.statistics;
  const bool training = saved.params.training;
  Tensor grad_gamma, grad_beta;
  if (size.rows == 0) {
    grad_gamma = Zeros(context, {size.channels});
    grad_beta = Zeros(context, {size.channels});
  } else if (training || sink.Needs(1) || sink.Needs(2)) {
    grad_gamma = Empty(context, {size.channels});
    grad_beta = Empty(context, {size.channels});
    static const KernelTable<decltype(cpu::scalar::BatchNormBackwardChannels)> kernels{
        BG_CPU_KERNEL(BatchNormBackwardChannels), BG_CUDA_KERNEL(BatchNormBackwardChannels)};
    kernels.For(context.device(), kOp)(context.kernel(), grad_gamma.view(), grad_beta.view(), grad_y.view(),
                                       saved.x.view(), mean.view(), variance.view(), saved.params.epsilon, size.rows,
                                       size.channels);
  }
  if (sink.Needs(0)) {
    Tensor grad_x = Empty(context, saved.x.shape());
    static const KernelTable<decltype(cpu::scalar::BatchNormBackwardData)> kernels{
        BG_CPU_KERNEL(BatchNormBackwardData), BG_CUDA_KERNEL(BatchNormBackwardData)};
    if (size.rows > 0) {
      kernels.For(context.device(), kOp)(
          context.kernel(), grad_x.view(), grad_y.view(), saved.x.view(), mean.view(), variance.view(),
          saved.gamma.view(), training ? grad_gamma.view() : ConstView(), training ? grad_beta.view() : ConstView(),
          saved.params.epsilon, size.rows, size.channels);
    }
    sink.Set(0, grad_x);
  }
  sink.Set(1, grad_gamma);
  sink.Set(2, grad_beta);
}

}  // namespace

Tensor ChannelStatistics(Context& context, const Tensor& x) {
  constexpr const char* kOp = "channel_statistics";
  const Size size = CheckedSize(context, kOp, x);
  CheckRows(kOp, size, x);
  Tensor y = ComputeStatistics(context, kOp, x, size, {}, {}, 0);
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
