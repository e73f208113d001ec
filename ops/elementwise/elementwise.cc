#include "ops/elementwise/elementwise.h"

#include "ops/elementwise/elementwise_kernels.h"
#include "ops/operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

Tensor ReluGradient(Context& context, const Tensor& y, const Tensor& grad_y) {
  Tensor grad_x = Empty(context, y.shape());
  static const KernelTable<decltype(cpu::scalar::ReluBackward)> kernels{BG_CPU_KERNEL(ReluBackward),
                                                                        BG_CUDA_KERNEL(ReluBackward)};
  kernels.For(context.device(), "relu backward")(context.kernel(), grad_x.view(), y.view(), grad_y.view(), y.size());
  return grad_x;
}

Tensor Multiplied(Context& context, const Tensor& a, const Tensor& b) {
  Tensor y = Empty(context, a.shape());
  static const KernelTable<decltype(cpu::scalar::Mul)> kernels{BG_CPU_KERNEL(Mul), BG_CUDA_KERNEL(Mul)};
  kernels.For(context.device(), "mul")(context.kernel(), y.view(), a.view(), b.view(), y.size());
  return y;
}

Tensor Scaled(Context& context, const Tensor& x, float factor) {
  Tensor y = Empty(context, x.shape());
  static const KernelTable<decltype(cpu::scalar::Scale)> kernels{BG_CPU_KERNEL(Scale), BG_CUDA_KERNEL(Scale)};
  kernels.For(context.device(), "scale")(context.kernel(), y.view(), x.view(), factor, y.size());
  return y;
}

}  // namespace

Tensor Relu(Context& context, const Tensor& x) {
  CheckOperand(context, "relu", "x", x);
  Tensor y = Empty(context, x.shape());
  static const KernelTable<decltype(cpu::scalar::Relu)> kernels{BG_CPU_KERNEL(Relu), BG_CUDA_KERNEL(Relu)};
  kernels.For(context.device(), "relu")(context.kernel(), y.view(), x.view(), x.size());
  RecordOp(context, {&x}, y, [y](Context& context, const Tensor& grad_y, GradientSink& sink) {
    sink.Set(0, ReluGradient(context, y, grad_y));
  });
  return y;
}

Tensor Add(Context& context, const Tensor& a, const Tensor& b) {
  CheckOperand(context, "add", "a", a);
  CheckOperandShape(context, "add", "b", b, a.shape());
  Tensor y = Empty(context, a.shape());
  Add(context, y, a, b);
  RecordOp(context, {&a, &b}, y, [](Context&, const Tensor& grad_y, GradientSink& sink) {
    sink.Set(0, grad_y);
    sink.Set(1, grad_y);
  });
  return y;
}

Tensor Mul(Context& context, const Tensor& a, const Tensor& b) {
  CheckOperand(context, "mul", "a", a);
  CheckOperandShape(context, "mul", "b", b, a.shape());
  Tensor y = Multiplied(context, a, b);
  RecordOp(context, {&a, &b}, y, [a, b](Context& context, const Tensor& grad_y, GradientSink& sink) {
    if (sink.Needs(0)) sink.Set(0, Multiplied(context, b, grad_y));
    if (sink.Needs(1)) sink.Set(1, Multiplied(context, a, grad_y));
  });
  return y;
}

Tensor Scale(Context& context, const Tensor& x, float factor) {
  CheckOperand(context, "scale", "x", x);
  Tensor y = Scaled(context, x, factor);
  RecordOp(context, {&x}, y, [factor](Context& context, const Tensor& grad_y, GradientSink& sink) {
    sink.Set(0, Scaled(context, grad_y, factor));
  });
  return y;
}

Tensor ActivationGradient(Context& context, Activation activation, const Tensor& y, const Tensor& grad_y) {
  return activation == Activation::kRelu ? ReluGradient(context, y, grad_y) : grad_y;
}

}  // namespace bitgate
