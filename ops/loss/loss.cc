#include "ops/loss/loss.h"

#include <vector>

#include "ops/loss/loss_kernels.h"
#include "ops/operand.h"
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
  const std::vector<int32_t> values = ToHost<int32_t>(context, labels);
  for (size_t i = 0; i < values.size(); ++i) {
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
  constexpr KernelTable<decltype(cpu::SoftmaxCrossEntropy)> kForward{&cpu::SoftmaxCrossEntropy, nullptr};
  kForward.For(context.device(), "softmax_cross_entropy")(context.kernel(), loss.view(), gradient.view(), logits.view(),
                                                          labels.view());
  RecordOp(context, {&logits}, loss, [gradient](Context& context, const Tensor& grad_loss, GradientSink& sink) {
    Tensor grad_logits = Empty(context, gradient.shape());
    constexpr KernelTable<decltype(cpu::ScaleByTensor)> kBackward{&cpu::ScaleByTensor, nullptr};
    kBackward.For(context.device(), "softmax_cross_entropy backward")(
        context.kernel(), grad_logits.view(), gradient.view(), grad_loss.view(), gradient.size());
    sink.Set(0, grad_logits);
  });
  return loss;
}

int64_t CountCorrect(Context& context, const Tensor& logits, const Tensor& labels) {
  CheckOperands(context, "count_correct", logits, labels);
  Tensor count = Empty(context, {1}, DType::kInt32);
  constexpr KernelTable<decltype(cpu::CountCorrect)> kKernels{&cpu::CountCorrect, nullptr};
  kKernels.For(context.device(), "count_correct")(context.kernel(), count.view(), logits.view(), labels.view());
  return ToHost<int32_t>(context, count)[0];
}

}  // namespace bitgate
