// What queued steps have reported, brought to the host behind them and read when it has arrived.
#ifndef BITGATE_MODELS_TRAIN_STEP_RESULTS_H_
#define BITGATE_MODELS_TRAIN_STEP_RESULTS_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct StepResult {
  double loss = 0;      // mean cross-entropy of the batch
  double penalty = 0;   // the method's regularizer; 0 where it has none
  int64_t correct = 0;  // images whose largest logit is at the label
  int64_t images = 0;   // of the batch
  // Whether the step and all before it had a finite loss and penalty: if not, it has changed no parameter.
  bool learned = true;
};

class StepResults {
 public:
  // So many steps may be under way at once.
  static constexpr int kMaxPending = 16;

  // `context` must outlive it.
  explicit StepResults(Context& context);
  ~StepResults();
  StepResults(const StepResults&) = delete;
  StepResults& operator=(const StepResults&) = delete;

  bool full() const { return free_.empty(); }
  // Behind a step of so many images: fetches what it has written into `record` (ops/step_record). Not when full.
  void Push(const Tensor& record, int64_t images);
  // Of the oldest step whose result is not taken yet. Nothing if there is none, or, without waiting, while it runs.
  std::optional<StepResult> Take(bool wait);
  // Steps whose result is not taken yet.
  int64_t pending() const { return static_cast<int64_t>(waiting_.size()); }

 private:
  struct Slot {
    void* record;  // in host_
    std::unique_ptr<Marker> arrived;
    int64_t images = 0;
  };

  Context& context_;
  std::shared_ptr<Storage> host_;
  std::vector<Slot> slots_;
  std::deque<Slot*> waiting_;  // oldest first
  std::vector<Slot*> free_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_STEP_RESULTS_H_
