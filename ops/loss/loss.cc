#include "ops/loss/loss.h"

#include <vector>

#include "ops/loss/loss_kernels.h"
#include "ops/operand.h"
#include "ops/scaled/scaled.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

void CheckOperands(Context& context, const char* op, const Tensor& logits, const Tensor& labels) {
  CheckOperand(context, op, "logits", logits, 2);
  const int64_t rows = logits.shape()[0], classes = logits.shape()[1];
  if (classes < 1) throw InvalidArgument(op, ": expected logits of at least one class, got shape ", logits.shape());
  CheckOperandShape(context, op, "labels", labels, {rows}, DType::kInt32);
  if (context.device().type != DeviceType::kCpu) return;
  const int32_t* values = labels.data<int32_t>();
  for (int64_t i = 0; i < rows; ++i) {
    if (values[i] < 0 || values[i] >= classes) {
      throw InvalidArgument(op, ": expected labels in [0, ", classes, "), got ", values[i], " at index ", i);
    }
  }
}

}  // namespace

Tensor SoftmaxCrossEntropy(Context& context, const Tensor& logits, const Tensor& labels) {
  CheckOperands(context, "softmax_cross_entropy", logits, labels);
  if (logits.size() == 0) {
    throw InvalidArgument("softmax_cross_entropy: expected at least one row, got logits of shape ", logits.shape());
  }
  Tensor loss = Empty(context, {});
  Tensor gradient;
  if (IsRecording(context, {&logits})) gradient = Empty(context, logits.shape());
  constexpr KernelTable<decltype(cpu::SoftmaxCrossEntropy)> kKernels{&cpu::SoftmaxCrossEntropy,
                                                                     BG_CUDA_KERNEL(SoftmaxCrossEntropy)};
  kKernels.For(context.device(), "softmax_cross_entropy")(context.kernel(), loss.view(), gradient.view(), logits.view(),
                                                          labels.view());
  RecordOp(context, {&logits}, loss, [gradient](Context& context, const Tensor& grad_loss, GradientSink& sink) {
    sink.Set(0, sink.unit() ? gradient : Scaled(context, "softmax_cross_entropy backward", gradient, grad_loss));
  });
  return loss;
}

int64_t CountCorrect(Context& context, const Tensor& logits, const Tensor& labels) {
  const Tensor count = Empty(context, {1}, DType::kInt32);
  CountCorrectInto(context, count, logits, labels);
  return ToHost<int32_t>(context, count)[0];
}

void CountCorrectInto(Context& context, const Tensor& count, const Tensor& logits, const Tensor& labels) {
  CheckOperand(context, "count_correct", "count", count, kAnyRank, DType::kInt32);
  if (count.size() != 1) {
    throw InvalidArgument("count_correct: expected a count of one element, got shape ", count.shape());
  }
  CheckOperands(context, "count_correct", logits, labels);
  constexpr KernelTable<decltype(cpu::CountCorrect)> kKernels{&cpu::CountCorrect, BG_CUDA_KERNEL(CountCorrect)};
  kKernels.For(context.device(), "count_correct")(context.kernel(), count.view(), logits.view(), labels.view());
}

}  // namespace bitgate
