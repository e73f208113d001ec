#include "ops/norm/norm_steps.h"

#include "ops/norm/norm_kernels.h"
#include "ops/operand.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

ChannelMatrix::ChannelMatrix(const Shape& shape) : rows(1), channels(shape[shape.rank() - 1]) {
  for (int axis = 0; axis + 1 < shape.rank(); ++axis) rows *= shape[axis];
}

ChannelMatrix CheckedMatrix(const Context& context, const char* op, const char* name, const Tensor& x) {
  CheckOperand(context, op, name, x);
  if (x.shape().rank() < 2 || x.shape()[x.shape().rank() - 1] == 0) {
    throw InvalidArgument(op, ": expected ", name, " of shape [..., c] with at least one channel, got ", x.shape());
  }
  return ChannelMatrix(x.shape());
}

void CheckHasRows(const char* op, const ChannelMatrix& size, const char* name, const Tensor& x) {
  if (size.rows > 0) return;
  throw InvalidArgument(op, ": expected at least one value of each channel, got ", name, " ", x.shape());
}

void CheckMomentum(const char* op, float momentum) {
  if (!(momentum >= 0 && momentum <= 1)) throw InvalidArgument(op, ": expected momentum in [0, 1], got ", momentum);
}

void CheckEpsilon(const char* op, float epsilon) {
  if (!(epsilon > 0)) throw InvalidArgument(op, ": expected epsilon above 0, got ", epsilon);
}

Statistics::Statistics(const Tensor& both) : mean(SliceView(both, 0, 0, 1)), variance(SliceView(both, 0, 1, 2)) {}

Tensor ComputeStatistics(Context& context, const char* op, const Tensor& x, const Tensor& running_mean,
                         const Tensor& running_variance, float momentum) {
  const ChannelMatrix size(x.shape());
  const Tensor both = Empty(context, {2, size.channels});
  const Statistics statistics(both);
  static const KernelTable<decltype(cpu::scalar::ChannelStatistics)> kernels{BG_CPU_KERNEL(ChannelStatistics),
                                                                             BG_CUDA_KERNEL(ChannelStatistics)};
  kernels.For(context.device(), op)(context.kernel(), statistics.mean.view(), statistics.variance.view(),
                                    running_mean.view(), running_variance.view(), x.view(), momentum, size.rows,
                                    size.channels);
  return both;
}

Tensor Normalised(Context& context, const char* op, const Tensor& x, const Statistics& statistics, const Tensor& gamma,
                  const Tensor& beta, float epsilon, Activation activation) {
  const ChannelMatrix size(x.shape());
  Tensor y = Empty(context, x.shape());
  static const KernelTable<decltype(cpu::scalar::BatchNormForward)> kernels{BG_CPU_KERNEL(BatchNormForward),
                                                                            BG_CUDA_KERNEL(BatchNormForward)};
  if (size.rows == 0) return y;
  kernels.For(context.device(), op)(context.kernel(), y.view(), x.view(), statistics.mean.view(),
                                    statistics.variance.view(), gamma.view(), beta.view(), epsilon,
                                    activation == Activation::kRelu, size.rows, size.channels);
  return y;
}

NormGradients NormSums(Context& context, const char* op, const Tensor& grad_y, const Tensor& x,
                       const Statistics& statistics, float epsilon) {
  const ChannelMatrix size(x.shape());
  NormGradients sums;
  if (size.rows == 0) {
    sums.gamma = Zeros(context, {size.channels});
    sums.beta = Zeros(context, {size.channels});
    return sums;
  }
  sums.gamma = Empty(context, {size.channels});
  sums.beta = Empty(context, {size.channels});
  static const KernelTable<decltype(cpu::scalar::BatchNormBackwardChannels)> kernels{
      BG_CPU_KERNEL(BatchNormBackwardChannels), BG_CUDA_KERNEL(BatchNormBackwardChannels)};
  kernels.For(context.device(), op)(context.kernel(), sums.gamma.view(), sums.beta.view(), grad_y.view(), x.view(),
                                    statistics.mean.view(), statistics.variance.view(), epsilon, size.rows,
                                    size.channels);
  return sums;
}

Tensor NormalisedBackwardData(Context& context, const char* op, const Tensor& grad_y, const Tensor& x,
                              const Statistics& statistics, const Tensor& gamma, const NormGradients& sums,
                              float epsilon) {
  const ChannelMatrix size(x.shape());
  Tensor grad_x = Empty(context, x.shape());
  if (size.rows == 0) return grad_x;
  static const KernelTable<decltype(cpu::scalar::BatchNormBackwardData)> kernels{BG_CPU_KERNEL(BatchNormBackwardData),
                                                                                 BG_CUDA_KERNEL(BatchNormBackwardData)};
  kernels.For(context.device(), op)(context.kernel(), grad_x.view(), grad_y.view(), x.view(), statistics.mean.view(),
                                    statistics.variance.view(), gamma.view(), sums.gamma.view(), sums.beta.view(),
                                    epsilon, size.rows, size.channels);
  return grad_x;
}

NormGradients NormalisedBackward(Context& context, const char* op, const Tensor& grad_y, const Tensor& x,
                                 const Statistics& statistics, const Tensor& gamma, float epsilon, bool own_statistics,
                                 bool wants_x, bool wants_others) {
  NormGradients gradients;
  if (own_statistics || wants_others) gradients = NormSums(context, op, grad_y, x, statistics, epsilon);
  if (wants_x) {
    gradients.x = NormalisedBackwardData(context, op, grad_y, x, statistics, gamma,
                                         own_statistics ? gradients : NormGradients(), epsilon);
  }
  return gradients;
}

}  // namespace bitgate
