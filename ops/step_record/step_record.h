// What a training step says of itself, written on the device and read later: nobody waits inside a step.
#ifndef BITGATE_OPS_STEP_RECORD_STEP_RECORD_H_
#define BITGATE_OPS_STEP_RECORD_STEP_RECORD_H_

#include <cstdint>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// The four words of a record, int32 [kStepRecordWords] as a tensor.
struct StepRecord {
  float loss;
  float penalty;
  int32_t correct;
  int32_t proceed;  // 1, and 0 from the first loss or penalty on that is not finite: then nothing may be learned
};
constexpr int kStepRecordWords = 4;
static_assert(sizeof(StepRecord) == 4 * kStepRecordWords);

// Views of single words, int32 [1].
Tensor CorrectOf(const Tensor& record);
Tensor ProceedOf(const Tensor& record);

// Writes loss and penalty (float32, one element each; penalty may be undefined, for 0) into the record, and keeps
// `proceed` as it is if both are finite. `correct` is left alone. Nothing is recorded on a tape.
void RecordStep(Context& context, const Tensor& record, const Tensor& loss, const Tensor& penalty);

}  // namespace bitgate

#endif  // BITGATE_OPS_STEP_RECORD_STEP_RECORD_H_
