#include "ops/step_record/step_record_kernels.h"
#include "runtime/kernel/cuda_launch.h"

namespace bitgate {
namespace cuda {
namespace {

__global__ void RecordStepKernel(StepRecord* record, const float* loss, const float* penalty) {
  UpdateStepRecord(record, *loss, penalty == nullptr ? 0.0f : *penalty);
}

}  // namespace

void RecordStep(KernelContext& context, View record, ConstView loss, ConstView penalty) {
  Launch(context.stream, dim3(1), 1, RecordStepKernel, record.As<StepRecord>(), loss.As(), penalty.As());
}

}  // namespace cuda
}  // namespace bitgate
