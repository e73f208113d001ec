#include "ops/step_record/step_record.h"

#include "ops/operand.h"
#include "ops/step_record/step_record_kernels.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"

namespace bitgate {
namespace {

void CheckScalar(const Context& context, const char* operand, const Tensor& tensor) {
  CheckOperand(context, "record_step", operand, tensor);
  if (tensor.size() == 1) return;
  throw InvalidArgument("record_step: expected ", operand, " of one element, got shape ", tensor.shape());
}

}  // namespace

Tensor CorrectOf(const Tensor& record) { return SliceView(record, 0, 2, 3); }
Tensor ProceedOf(const Tensor& record) { return SliceView(record, 0, 3, 4); }

void RecordStep(Context& context, const Tensor& record, const Tensor& loss, const Tensor& penalty) {
  CheckOperandShape(context, "record_step", "record", record, {kStepRecordWords}, DType::kInt32);
  CheckScalar(context, "loss", loss);
  if (penalty.defined()) CheckScalar(context, "penalty", penalty);
  constexpr KernelTable<decltype(cpu::RecordStep)> kKernels{&cpu::RecordStep, BG_CUDA_KERNEL(RecordStep)};
  kKernels.For(context.device(), "record_step")(context.kernel(), record.view(), loss.view(), penalty.view());
}

}  // namespace bitgate
