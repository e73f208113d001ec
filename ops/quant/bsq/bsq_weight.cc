#include "ops/quant/bsq/bsq_weight.h"

#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kName = "bsq_weight";

const KernelTable<decltype(cpu::scalar::BsqWeightForward)>& ForwardKernels() {
  static const KernelTable<decltype(cpu::scalar::BsqWeightForward)> kernels{BG_CPU_KERNEL(BsqWeightForward),
                                                                            BG_CUDA_KERNEL(BsqWeightForward)};
  return kernels;
}

const KernelTable<decltype(cpu::scalar::BsqWeightBackward)>& BackwardKernels() {
  static const KernelTable<decltype(cpu::scalar::BsqWeightBackward)> kernels{BG_CPU_KERNEL(BsqWeightBackward),
                                                                             BG_CUDA_KERNEL(BsqWeightBackward)};
  return kernels;
}

}  // namespace

Tensor BsqWeight(Context& context, const Tensor& planes, const Tensor& row, const Tensor& scale, int bits) {
  const int64_t elements = CheckBsqPlanes(context, kName, planes, bits);
  CheckOperand(context, kName, "row", row);
  CheckOperandShape(context, kName, "scale", scale, {1});
  if (row.size() != elements) {
    throw InvalidArgument(kName, ": expected a row of ", elements, " elements for planes ", planes.shape(),
                          ", got shape ", row.shape());
  }
  Tensor w = Empty(context, row.shape());
  // Saves Q(u): the backward pass would have to read all planes for it again.
  const Tensor quantized = IsRecording(context, {&row, &scale}) ? Empty(context, row.shape()) : Tensor();
  ForwardKernels().For(context.device(), kName)(context.kernel(), w.view(), quantized.view(),
                                                BsqPlanes{planes.view(), bits, elements}, scale.view());
  RecordOp(context, {&row, &scale}, w, [quantized, scale](Context& context, const Tensor& grad_w, GradientSink& sink) {
    const Tensor grad_row = sink.Target(0, quantized.shape()), grad_scale = sink.Target(1, {1});
    BackwardKernels().For(context.device(), kName)(context.kernel(), grad_row.view(), grad_scale.view(), grad_w.view(),
                                                   quantized.view(), scale.view(), quantized.size());
    sink.Set(0, grad_row);
    sink.Set(1, grad_scale);
  });
  return w;
}

std::vector<float> BsqGains(int bits) {
  CheckBsqBits("bsq_gains", bits, kBsqMaxBits);
  std::vector<float> gains(2 * bits);
  for (int b = 0; b < bits; ++b) {
    gains[b] = BsqPlaneValue(bits, b) / BsqLevels(bits);
    gains[bits + b] = -gains[b];
  }
  return gains;
}

}  // namespace bitgate
