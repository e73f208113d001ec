#include "models/train/step_results.h"

#include <cstring>

#include "ops/step_record/step_record.h"
#include "runtime/base/error.h"

namespace bitgate {

StepResults::StepResults(Context& context)
    : context_(context),
      host_(std::make_shared<Storage>(context.backend().host_pool(), kMaxPending * sizeof(StepRecord))),
      slots_(kMaxPending) {
  for (int i = 0; i < kMaxPending; ++i) {
    slots_[i].record = static_cast<StepRecord*>(host_->data()) + i;
    slots_[i].arrived = context.backend().MakeMarker();
    free_.push_back(&slots_[i]);
  }
}

// Copies that are still under way write to memory that goes with this.
StepResults::~StepResults() {
  try {
    if (!waiting_.empty()) waiting_.back()->arrived->Wait();
  } catch (const Error&) {  // the device has failed: it will not write any more
  }
}

void StepResults::Push(const Tensor& record, int64_t images) {
  if (full()) throw Internal("step results: expected fewer than ", kMaxPending, " steps under way");
  Slot* slot = free_.back();
  context_.backend().Download(slot->record, record.raw_data(), sizeof(StepRecord));
  slot->arrived->Record(Lane::kCompute);
  slot->images = images;
  free_.pop_back();
  waiting_.push_back(slot);
}

std::optional<StepResult> StepResults::Take(bool wait) {
  if (waiting_.empty()) return std::nullopt;
  Slot* slot = waiting_.front();
  if (wait) slot->arrived->Wait();
  if (!wait && !slot->arrived->Passed()) return std::nullopt;
  StepRecord record;
  std::memcpy(&record, slot->record, sizeof(record));
  waiting_.pop_front();
  free_.push_back(slot);
  StepResult result;
  result.loss = record.loss;
  result.penalty = record.penalty;
  result.correct = record.correct;
  result.images = slot->images;
  result.learned = record.proceed != 0;
  return result;
}

}  // namespace bitgate
