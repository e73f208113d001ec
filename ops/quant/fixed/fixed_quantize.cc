#include "ops/quant/fixed/fixed_quantize.h"

#include "ops/quant/fixed/fixed_quantize_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "fixed_quantize";

FixedInputs CheckedInputs(const Tensor& x, const Tensor& range, const Tensor& keep) {
  if (!range.defined() || range.dtype() != DType::kFloat32 || range.size() != 1) {
    throw InvalidArgument(kName, ": expected a range of 1 float32 value, got shape ", range.shape());
  }
  FixedInputs in{x.view(), range.view(), keep.view(), 1, x.size()};
  if (keep.defined()) {
    if (x.shape().rank() == 0 || keep.dtype() != DType::kFloat32 || keep.shape() != Shape{x.shape()[0]}) {
      throw InvalidArgument(kName, ": expected keep with one float32 flag per channel of ", x.shape(), ", got shape ",
                            keep.shape());
    }
    in.rows = x.shape()[0];
    in.elements = in.rows == 0 ? 0 : x.size() / in.rows;
  }
  return in;
}

const KernelTable<decltype(cpu::scalar::FixedQuantizeForward)>& ForwardKernels() {
  static const KernelTable<decltype(cpu::scalar::FixedQuantizeForward)> kernels{BG_CPU_KERNEL(FixedQuantizeForward),
                                                                                nullptr};
  return kernels;
}

const KernelTable<decltype(cpu::scalar::FixedQuantizeBackward)>& BackwardKernels() {
  static const KernelTable<decltype(cpu::scalar::FixedQuantizeBackward)> kernels{BG_CPU_KERNEL(FixedQuantizeBackward),
                                                                                 nullptr};
  return kernels;
}

}  // namespace

Tensor FixedQuantize(Context& context, const Tensor& input, const Tensor& range, const Tensor& keep,
                     const FixedQuantizer& quantizer) {
  if (!input.defined() || input.dtype() != DType::kFloat32) throw InvalidArgument(kName, ": expected float32 x");
  if (!(quantizer.range > 0) || (!quantizer.clip_only && !(quantizer.scale > 0))) {
    throw InvalidArgument(kName, ": expected a positive range and scale, got ", quantizer.range, " and ",
                          quantizer.scale);
  }
  const Tensor x = Contiguous(context, input);
  Tensor y = Empty(context, x.shape());
  ForwardKernels().For(context.device(), kName)(context.kernel(), y.view(), CheckedInputs(x, range, keep), quantizer);
  RecordOp(context, {&input, &range}, y,
           [x, range, keep, quantizer](Context& context, const Tensor& grad_y, GradientSink& sink) {
             const Tensor grad_x = Empty(context, x.shape()), grad_range = Empty(context, {1});
             BackwardKernels().For(context.device(), kName)(context.kernel(), grad_x.view(), grad_range.view(),
                                                            grad_y.view(), CheckedInputs(x, range, keep), quantizer);
             sink.Set(0, grad_x);
             sink.Set(1, grad_range);
           });
  return y;
}

}  // namespace bitgate
