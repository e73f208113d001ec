#include "ops/quant/bsq/bsq_activation.h"

#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "bsq_activation";

BsqActivationInputs CheckedInputs(const Context& context, const char* op, const Tensor& x, const Tensor& alpha) {
  CheckOperand(context, op, "x", x);
  if (alpha.defined()) CheckOperandShape(context, op, "alpha", alpha, {1});
  return {x.view(), alpha.view(), x.size()};
}

const KernelTable<decltype(cpu::scalar::BsqActivationForward)>& ForwardKernels() {
  static const KernelTable<decltype(cpu::scalar::BsqActivationForward)> kernels{BG_CPU_KERNEL(BsqActivationForward),
                                                                                BG_CUDA_KERNEL(BsqActivationForward)};
  return kernels;
}

const KernelTable<decltype(cpu::scalar::BsqActivationBackward)>& BackwardKernels() {
  static const KernelTable<decltype(cpu::scalar::BsqActivationBackward)> kernels{BG_CPU_KERNEL(BsqActivationBackward),
                                                                                 BG_CUDA_KERNEL(BsqActivationBackward)};
  return kernels;
}

}  // namespace

Tensor BsqActivation(Context& context, const Tensor& x, const Tensor& alpha, const Tensor& largest, int bits) {
  const BsqActivationInputs in = CheckedInputs(context, kName, x, alpha);
  CheckBsqBits(kName, bits, kBsqMaxActivationBits);
  if (largest.defined()) CheckOperandShape(context, kName, "largest", largest, {1});
  const Tensor found = largest.defined() ? largest : BsqLargest(context, x, alpha);
  Tensor y = Empty(context, x.shape());
  ForwardKernels().For(context.device(), kName)(context.kernel(), y.view(), in, found.view(), bits);
  RecordOp(context, {&x, &alpha}, y, [x, alpha](Context& context, const Tensor& grad_y, GradientSink& sink) {
    const Tensor grad_x = Empty(context, x.shape());
    const Tensor grad_alpha = alpha.defined() ? sink.Target(1, {1}) : Tensor();
    BackwardKernels().For(context.device(), kName)(context.kernel(), grad_x.view(), grad_alpha.view(), grad_y.view(),
                                                   {x.view(), alpha.view(), x.size()});
    sink.Set(0, grad_x);
    if (alpha.defined()) sink.Set(1, grad_alpha);
  });
  return y;
}

Tensor BsqLargest(Context& context, const Tensor& x, const Tensor& alpha) {
  const BsqActivationInputs in = CheckedInputs(context, "bsq_largest", x, alpha);
  static const KernelTable<decltype(cpu::scalar::BsqLargest)> kernels{BG_CPU_KERNEL(BsqLargest),
                                                                      BG_CUDA_KERNEL(BsqLargest)};
  const Tensor largest = Empty(context, {1});
  kernels.For(context.device(), "bsq_largest")(context.kernel(), largest.view(), in);
  return largest;
}

}  // namespace bitgate
