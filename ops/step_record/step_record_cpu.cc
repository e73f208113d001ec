#include "ops/step_record/step_record_kernels.h"

namespace bitgate {
namespace cpu {

void RecordStep(KernelContext&, View record, ConstView loss, ConstView penalty) {
  UpdateStepRecord(record.As<StepRecord>(), *loss.As(), penalty.data == nullptr ? 0.0f : *penalty.As());
}

}  // namespace cpu
}  // namespace bitgate
