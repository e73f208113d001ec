// One step of training: forward, loss and penalty, backward, one fused optimizer call. What Trainer does for each batch
// of its data, and Stepper for each of the caller's.
//
// A step is queued and not waited for; its result comes some steps later on a GPU, at once on the CPU. A step whose
// loss or penalty is not finite changes no parameter that is learned, and neither do those behind it: that is decided
// on the device. Running statistics of batch norms may have moved in such steps; they stay finite.
//
// Where the device can capture work, the second step on a batch's memory is captured and all later ones replay it: what
// changes from step to step (noise, rates, the gates' cuts) is read on the device. Memory of captured steps is theirs
// alone. What cannot be captured runs as it is.
#ifndef BITGATE_MODELS_TRAIN_TRAIN_STEP_H_
#define BITGATE_MODELS_TRAIN_TRAIN_STEP_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>

#include "models/nn/network.h"
#include "models/train/optimizer.h"
#include "models/train/step_results.h"
#include "runtime/autograd/tape.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct StepInputs {
  Tensor images;  // [n, ...input_shape], float32, preprocessed, on the network's device
  Tensor labels;  // [n], int32, there too
  RandomKey key;  // of the gates' noise
  // Both as Optimizers::Scalars takes them.
  int64_t optimizer_step;
  std::array<double, kParameterGroups> learning_rates;
};

class TrainStep {
 public:
  // More kinds of batches than this are not captured: a caller with ever new ones would fill the device with them.
  static constexpr size_t kMaxKinds = 8;

  // For the network's parameters as they are; when they are replaced (Network::revision), it must go. The network must
  // outlive it. Without `capture` every step runs by itself: for comparisons.
  TrainStep(Network& network, const GroupsOptions& options, bool capture = true);
  ~TrainStep();
  TrainStep(const TrainStep&) = delete;
  TrainStep& operator=(const TrainStep&) = delete;

  Optimizers& optimizers() { return optimizers_; }

  // Queues a step. Images and labels must stay as they are until it is done, or be changed by work queued behind it.
  // Throws InvalidArgument for shapes that do not fit, and on the CPU for labels out of range; on a GPU the loss is NaN
  // then. Only when not full().
  void Queue(const StepInputs& inputs);
  bool full() const { return results_.full(); }
  // As StepResults has them.
  std::optional<StepResult> Take(bool wait) { return results_.Take(wait); }
  int64_t pending() const { return results_.pending(); }

  // Lets steps learn again, after one that was not finite.
  void Proceed();

  // How many steps were replayed, and why some kind of batch is not captured (empty: all are, or the device captures
  // none).
  int64_t replayed() const { return replayed_; }
  const std::string& not_captured() const { return not_captured_; }
  // Of the memory that is the captured steps' own.
  PoolStatistics memory() const;

 private:
  struct Captured {
    bool warm = false;     // has run once: its memory is allocated, its ranges and plans are there
    bool refused = false;  // could not be captured
    std::unique_ptr<CapturedWork> work;
  };
  using BatchMemory = std::tuple<const void*, const void*, int64_t, Compute>;  // images, labels, how many, and how

  void SetScalars(const StepInputs& inputs);
  void RunOrReplay(const StepInputs& inputs);
  bool Capture(const StepInputs& inputs, Captured* captured);
  void Run(const StepInputs& inputs);

  Network& network_;
  Context& context_;
  Optimizers optimizers_;
  StepResults results_;
  Tape tape_;
  Tensor words_, scalars_;  // views of one buffer, written before each step: KeyWords, Optimizers::Scalars
  Tensor record_;           // StepRecord

  std::unique_ptr<Memory> memory_;  // of all steps that may be captured; null where none can
  std::map<BatchMemory, Captured> captured_;
  int64_t replayed_ = 0;
  std::string not_captured_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_TRAIN_STEP_H_
