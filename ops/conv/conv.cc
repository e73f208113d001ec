#include "ops/conv/conv.h"

#include "ops/conv/conv_kernels.h"
#include "ops/elementwise/elementwise.h"
#include "ops/operand.h"
#include "ops/reduce/reduce.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

Shape CheckAndInferShape(const Context& context, const Tensor& x, const Tensor& w, const Tensor& bias,
                         const Conv2dParams& params) {
  CheckOperand(context, "conv2d", "x", x, 4);
  CheckOperand(context, "conv2d", "w", w, 4);
  const Shape &xs = x.shape(), &ws = w.shape();
  if (params.groups < 1 || w.size() == 0 || ws[0] % params.groups != 0 || xs[3] != ws[3] * params.groups) {
    throw InvalidArgument(
        "conv2d: expected w of shape [o, kh, kw, c / groups] for x [n, h, w, c], o a multiple of "
        "groups, got w ",
        ws, ", x ", xs, " and ", params.groups, " groups");
  }
  if (bias.defined()) CheckOperandShape(context, "conv2d", "bias", bias, {ws[0]});
  CheckOperandSteps("conv2d", params.steps);
  return {xs[0], WindowPlaces("conv2d", "height", xs[1], ws[1], params.stride[0], params.padding[0]),
          WindowPlaces("conv2d", "width", xs[2], ws[2], params.stride[1], params.padding[1]), ws[0]};
}

void Conv2dBackward(Context& context, const Tensor& x, const Tensor& w, const Tensor& grad_y,
                    const Conv2dParams& params, GradientSink& sink);

}  // namespace

Tensor Conv2d(Context& context, const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params) {
  Tensor y = Empty(context, CheckAndInferShape(context, x, w, bias, params));
  constexpr KernelTable<decltype(cpu::Conv2dForward)> kForward{&cpu::Conv2dForward, BG_CUDA_KERNEL(Conv2dForward)};
  auto& forward = kForward.For(context.device(), "conv2d");
  if (y.size() > 0) forward(context.kernel(), y.view(), x.view(), w.view(), bias.view(), params);
  const Tensor saved = params.activation == Activation::kNone ? Tensor() : y;
  RecordOp(context, {&x, &w, &bias}, y,
           [x, w, saved, params](Context& context, const Tensor& grad_y, GradientSink& sink) {
             Conv2dBackward(context, x, w, ActivationGradient(context, params.activation, saved, grad_y), params, sink);
           });
  return y;
}

namespace {

void Conv2dBackward(Context& context, const Tensor& x, const Tensor& w, const Tensor& grad_y,
                    const Conv2dParams& params, GradientSink& sink) {
  constexpr KernelTable<decltype(cpu::Conv2dBackwardData)> kData{&cpu::Conv2dBackwardData,
                                                                 BG_CUDA_KERNEL(Conv2dBackwardData)};
  constexpr KernelTable<decltype(cpu::Conv2dBackwardWeights)> kWeights{&cpu::Conv2dBackwardWeights,
                                                                       BG_CUDA_KERNEL(Conv2dBackwardWeights)};
  const bool empty = grad_y.size() == 0;
  if (sink.Needs(0)) {
    Tensor grad_x = Empty(context, x.shape());
    auto& data = kData.For(context.device(), "conv2d backward");
    if (!empty) data(context.kernel(), grad_x.view(), grad_y.view(), w.view(), params);
    sink.Set(0, grad_x);
  }
  const int64_t channels = w.shape()[0];
  if (sink.Needs(1)) {
    Tensor grad_w = empty ? Zeros(context, w.shape()) : Empty(context, w.shape());
    Tensor grad_bias;
    if (sink.Needs(2)) grad_bias = empty ? Zeros(context, {channels}) : Empty(context, {channels});
    auto& weights = kWeights.For(context.device(), "conv2d backward");
    if (!empty) weights(context.kernel(), grad_w.view(), grad_bias.view(), grad_y.view(), x.view(), params);
    sink.Set(1, grad_w);
    sink.Set(2, grad_bias);
  } else if (sink.Needs(2)) {
    sink.Set(2, SumRows(context, ReshapeView(grad_y, {grad_y.size() / channels, channels})));
  }
}

}  // namespace
}  // namespace bitgate
