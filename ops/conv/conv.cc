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
  constexpr KernelTable<decltype(cpu::Conv2dBackward)> kBackward{&cpu::Conv2dBackward, BG_CUDA_KERNEL(Conv2dBackward)};
  const int64_t channels = w.shape()[0];
  const bool empty = grad_y.size() == 0, wants_x = sink.Needs(0), wants_w = sink.Needs(1), wants_bias = sink.Needs(2);
  const auto of_parameter = [&](const Shape& shape) { return empty ? Zeros(context, shape) : Empty(context, shape); };
  const Tensor grad_x = wants_x ? Empty(context, x.shape()) : Tensor();
  const Tensor grad_w = wants_w ? of_parameter(w.shape()) : Tensor();
  Tensor grad_bias = wants_bias && wants_w ? of_parameter({channels}) : Tensor();
  if (!empty && (wants_x || wants_w)) {
    kBackward.For(context.device(), "conv2d backward")(context.kernel(), grad_x.view(), grad_w.view(), grad_bias.view(),
                                                       grad_y.view(), x.view(), w.view(), params);
  }
  if (wants_bias && !wants_w) grad_bias = SumRows(context, ReshapeView(grad_y, {grad_y.size() / channels, channels}));
  sink.Set(0, grad_x);
  sink.Set(1, grad_w);
  sink.Set(2, grad_bias);
}

}  // namespace
}  // namespace bitgate
