#include "ops/quant/bayesian_bits/bayesian_bits.h"

#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "bayesian_bits";

void CheckParameter(const char* what, const Tensor& tensor, int64_t size) {
  if (!tensor.defined() || tensor.dtype() != DType::kFloat32 || tensor.size() != size) {
    throw InvalidArgument(kName, ": expected ", what, " of ", size, " float32 values, got ",
                          tensor.defined() ? ToString(tensor.dtype()) : "an undefined tensor of shape ",
                          tensor.shape());
  }
}

BayesianBitsLayout CheckedLayout(const Tensor& x, const Tensor& range, const Tensor& gates, const Tensor& channel_gates,
                                 bool is_signed) {
  if (!x.defined() || x.dtype() != DType::kFloat32) {
    throw InvalidArgument(kName, ": expected float32 x, got ", x.defined() ? ToString(x.dtype()) : "nothing");
  }
  CheckParameter("a range", range, 1);
  CheckParameter("gates", gates, 4);
  if (!channel_gates.defined()) return {1, x.size(), is_signed};
  if (x.shape().rank() == 0) throw InvalidArgument(kName, ": expected x with channels, got shape ", x.shape());
  const int64_t rows = x.shape()[0];
  CheckParameter("channel gates", channel_gates, rows);
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

Tensor BayesianBits(Context& context, const Tensor& input, const Tensor& range, const Tensor& gates,
                    const Tensor& channel_gates, bool is_signed) {
  const BayesianBitsLayout layout = CheckedLayout(input, range, gates, channel_gates, is_signed);
  const Tensor x = Contiguous(context, input);
  Tensor y = Empty(context, x.shape());
  const BayesianBitsInputs in{x.view(), range.view(), gates.view(), channel_gates.view()};
  ForwardKernels().For(context.device(), kName)(context.kernel(), y.view(), in, layout);

  // Saves its inputs only: the backward pass recomputes the cascade from x, which costs less than reading a mask.
  RecordOp(
      context, {&input, &range, &gates, &channel_gates}, y,
      [x, range, gates, channel_gates, layout](Context& context, const Tensor& grad_y, GradientSink& sink) {
        const Tensor grad_x = Empty(context, x.shape());
        const Tensor grad_range = Empty(context, range.shape());
        const Tensor grad_gates = Empty(context, gates.shape());
        const Tensor grad_channels = channel_gates.defined() ? Empty(context, channel_gates.shape()) : Tensor();
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
