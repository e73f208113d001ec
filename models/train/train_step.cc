#include "models/train/train_step.h"

#include <cstring>
#include <vector>

#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"
#include "ops/optim/optim.h"
#include "ops/quant/noise/noise.h"
#include "ops/step_record/step_record.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr int kKeyWords = 4;
constexpr int kScalars = kParameterGroups * kStepScalars;
}  // namespace

TrainStep::TrainStep(Network& network, const GroupsOptions& options, bool capture)
    : network_(network),
      context_(network.context()),
      optimizers_(context_, network.parameters(), options),
      results_(context_) {
  const Tensor buffer = Zeros(context_, {kKeyWords + kScalars});
  words_ = Tensor(buffer.storage(), {kKeyWords}, DType::kInt32);
  scalars_ = ReshapeView(SliceView(buffer, 0, kKeyWords, kKeyWords + kScalars), {kParameterGroups, kStepScalars});
  record_ = Zeros(context_, {kStepRecordWords}, DType::kInt32);
  Proceed();
  if (capture && context_.backend().can_capture())
    memory_ = std::make_unique<Memory>(context_.backend().MakeCapturePool());
}

TrainStep::~TrainStep() = default;

void TrainStep::Proceed() { CopyInto(context_, ProceedOf(record_), FromHost<int32_t>(context_, {1}, {1})); }

void TrainStep::Queue(const StepInputs& inputs) {
  SetScalars(inputs);
  RunOrReplay(inputs);
  results_.Push(record_, inputs.images.shape()[0]);
}

void TrainStep::SetScalars(const StepInputs& inputs) {
  const auto words = KeyWords(inputs.key);
  const auto scalars = optimizers_.Scalars(inputs.optimizer_step, inputs.learning_rates);
  static_assert(sizeof(words) == kKeyWords * sizeof(float) && sizeof(scalars) == kScalars * sizeof(float));
  unsigned char buffer[sizeof(words) + sizeof(scalars)];
  std::memcpy(buffer, words.data(), sizeof(words));
  std::memcpy(buffer + sizeof(words), scalars.data(), sizeof(scalars));
  context_.backend().CopyFromHost(words_.raw_data(), buffer, sizeof(buffer));
}

void TrainStep::RunOrReplay(const StepInputs& inputs) {
  if (memory_ == nullptr) return Run(inputs);
  const BatchMemory batch{inputs.images.raw_data(), inputs.labels.raw_data(), inputs.images.shape()[0],
                          context_.compute()};
  const auto found = captured_.find(batch);
  if (found == captured_.end() && captured_.size() >= kMaxKinds) return Run(inputs);
  const UseMemory use_memory(context_, *memory_);
  Captured& captured = captured_[batch];
  if (captured.work != nullptr || (captured.warm && !captured.refused && Capture(inputs, &captured))) {
    captured.work->Replay();
    ++replayed_;
    return;
  }
  Run(inputs);
  captured.warm = true;
}

bool TrainStep::Capture(const StepInputs& inputs, Captured* captured) {
  try {
    captured->work = context_.backend().Capture([&] { Run(inputs); });
    return true;
  } catch (const NotCapturable& error) {
    not_captured_ = error.what();
  } catch (const Error& error) {
    if (error.code() != absl::StatusCode::kResourceExhausted) throw;
    not_captured_ = error.what();  // the device has no memory for what was captured
  }
  tape_.Clear();
  captured->refused = true;
  return false;
}

PoolStatistics TrainStep::memory() const { return memory_ == nullptr ? PoolStatistics() : memory_->pool->statistics(); }

void TrainStep::Run(const StepInputs& inputs) {
  tape_.Clear();
  network_.Watch(tape_);
  ForwardResult forward;
  Tensor loss, objective;
  {
    const Recording recording(context_, tape_);
    forward = network_.Forward(inputs.images, Mode::kTrain, StepKey(inputs.key, words_));
    loss = SoftmaxCrossEntropy(context_, forward.logits, inputs.labels);
    objective = forward.penalty.defined() ? Add(context_, loss, forward.penalty) : loss;
  }
  CountCorrectInto(context_, CorrectOf(record_), forward.logits, inputs.labels);
  RecordStep(context_, record_, loss, forward.penalty);
  tape_.Backward(context_, objective);
  optimizers_.Step(tape_, scalars_, ProceedOf(record_));
  tape_.Clear();
}

}  // namespace bitgate
