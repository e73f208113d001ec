#include "ops/quant/fixed/fixed_quantize.h"

#include <cmath>

#include "ops/operand.h"
#include "ops/quant/fixed/fixed_quantize_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "fixed_quantize";

FixedInputs CheckedInputs(const Context& context, const Tensor& x, const Tensor& range, const Tensor& keep) {
  CheckOperand(context, kName, "x", x);
  CheckOperandShape(context, kName, "range", range, {1});
  FixedInputs in{x.view(), range.view(), keep.view(), 1, x.size()};
  if (!keep.defined()) return in;
  in.rows = x.shape().rank() == 0 ? 1 : x.shape()[0];
  CheckOperandShape(context, kName, "keep", keep, {in.rows});
  in.elements = in.rows == 0 ? 0 : x.size() / in.rows;
  return in;
}

const KernelTable<decltype(cpu::scalar::FixedQuantizeForward)>& ForwardKernels() {
  static const KernelTable<decltype(cpu::scalar::FixedQuantizeForward)> kernels{BG_CPU_KERNEL(FixedQuantizeForward),
                                                                                BG_CUDA_KERNEL(FixedQuantizeForward)};
  return kernels;
}

const KernelTable<decltype(cpu::scalar::FixedQuantizeBackward)>& BackwardKernels() {
  static const KernelTable<decltype(cpu::scalar::FixedQuantizeBackward)> kernels{BG_CPU_KERNEL(FixedQuantizeBackward),
                                                                                 BG_CUDA_KERNEL(FixedQuantizeBackward)};
  return kernels;
}

void CheckQuantizer(const FixedQuantizer& quantizer) {
  const auto positive = [](float value) { return value > 0 && std::isfinite(value); };
  if (!positive(quantizer.range) || (!quantizer.clip_only && !positive(quantizer.scale))) {
    throw InvalidArgument(kName, ": expected a positive, finite range and scale, got ", quantizer.range, " and ",
                          quantizer.scale);
  }
  if (!(quantizer.low <= quantizer.high) || (!quantizer.clip_only && quantizer.qmin > quantizer.qmax)) {
    throw InvalidArgument(kName, ": expected low <= high and qmin <= qmax, got ", quantizer.low, ", ", quantizer.high,
                          " and ", quantizer.qmin, ", ", quantizer.qmax);
  }
}

}  // namespace

Tensor FixedQuantize(Context& context, const Tensor& x, const Tensor& range, const Tensor& keep,
                     const FixedQuantizer& quantizer) {
  CheckQuantizer(quantizer);
  const FixedInputs in = CheckedInputs(context, x, range, keep);
  Tensor y = Empty(context, x.shape());
  ForwardKernels().For(context.device(), kName)(context.kernel(), y.view(), in, quantizer);
  RecordOp(context, {&x, &range}, y,
           [x, range, keep, quantizer](Context& context, const Tensor& grad_y, GradientSink& sink) {
             const Tensor grad_x = Empty(context, x.shape()), grad_range = sink.Target(1, {1});
             BackwardKernels().For(context.device(), kName)(context.kernel(), grad_x.view(), grad_range.view(),
                                                            grad_y.view(), CheckedInputs(context, x, range, keep),
                                                            quantizer);
             sink.Set(0, grad_x);
             sink.Set(1, grad_range);
           });
  return y;
}

}  // namespace bitgate
