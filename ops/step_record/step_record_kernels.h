#ifndef BITGATE_OPS_STEP_RECORD_STEP_RECORD_KERNELS_H_
#define BITGATE_OPS_STEP_RECORD_STEP_RECORD_KERNELS_H_

#include "ops/step_record/step_record.h"
#include "runtime/base/math.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

BG_HD_INLINE void UpdateStepRecord(StepRecord* record, float loss, float penalty) {
  record->loss = loss;
  record->penalty = penalty;
  // x - x is 0 for a finite x alone.
  if (!(loss - loss == 0.0f) || !(penalty - penalty == 0.0f)) record->proceed = 0;
}

// loss [1], penalty [1] or absent.
namespace cpu {
void RecordStep(KernelContext& context, View record, ConstView loss, ConstView penalty);
}
namespace cuda {
void RecordStep(KernelContext& context, View record, ConstView loss, ConstView penalty);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_STEP_RECORD_STEP_RECORD_KERNELS_H_
