#include "ops/quant/bayesian_bits/bayesian_bits.h"

#include "ops/operand.h"
#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "runtime/autograd/tape.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "bayesian_bits";

BayesianBitsLayout CheckedLayout(const Context& context, const Tensor& x, const Tensor& range, const Tensor& gates,
                                 const Tensor& channel_gates, bool is_signed) {
  CheckOperand(context, kName, "x", x);
  CheckOperandShape(context, kName, "range", range, {1});
  CheckOperandShape(context, kName, "gates", gates, {kBayesianBitsGates});
  if (!channel_gates.defined()) return {1, x.size(), is_signed};
  const int64_t rows = x.shape().rank() == 0 ? 1 : x.shape()[0];
  CheckOperandShape(context, kName, "channel gates", channel_gates, {rows});
  return {rows, rows == 0 ? 0 : x.size() / rows, is_signed};
}

const KernelTable<decltype(cpu::scalar::BayesianBitsForward)>& ForwardKernels() {
  static const KernelTable<decltype(cpu::scalar::BayesianBitsForward)> kernels{BG_CPU_KERNEL(BayesianBitsForward),
                                                                               BG_CUDA_KERNEL(BayesianBitsForward)};
  return kernels;
}

const KernelTable<decltype(cpu::scalar::BayesianBitsBackward)>& BackwardKernels() {
  static const KernelTable<decltype(cpu::scalar::BayesianBitsBackward)> kernels{BG_CPU_KERNEL(BayesianBitsBackward),
                                                                                BG_CUDA_KERNEL(BayesianBitsBackward)};
  return kernels;
}

}  // namespace

Tensor BayesianBits(Context& context, const Tensor& x, const Tensor& range, const Tensor& gates,
                    const Tensor& channel_gates, bool is_signed) {
  const BayesianBitsLayout layout = CheckedLayout(context, x, range, gates, channel_gates, is_signed);
  Tensor y = Empty(context, x.shape());
  const BayesianBitsInputs in{x.view(), range.view(), gates.view(), channel_gates.view()};
  ForwardKernels().For(context.device(), kName)(context.kernel(), y.view(), in, layout);

  // Saves its inputs only: the backward pass recomputes the cascade from x, which costs less than reading a mask.
  RecordOp(
      context, {&x, &range, &gates, &channel_gates}, y,
      [x, range, gates, channel_gates, layout](Context& context, const Tensor& grad_y, GradientSink& sink) {
        const Tensor grad_x = Empty(context, x.shape());
        const Tensor grad_range = sink.Target(1, range.shape());
        const Tensor grad_gates = sink.Target(2, gates.shape());
        const Tensor grad_channels = channel_gates.defined() ? sink.Target(3, channel_gates.shape()) : Tensor();
        const BayesianBitsGradViews grads{grad_x.view(), grad_range.view(), grad_gates.view(), grad_channels.view()};
        const BayesianBitsInputs in{x.view(), range.view(), gates.view(), channel_gates.view()};
        BackwardKernels().For(context.device(), kName)(context.kernel(), grads, grad_y.view(), in, layout);
        sink.Set(0, grad_x);
        sink.Set(1, grad_range);
        sink.Set(2, grad_gates);
        if (channel_gates.defined()) sink.Set(3, grad_channels);
      });
  return y;
}

}  // namespace bitgate
