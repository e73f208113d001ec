// Training on batches of the caller's own, in a loop of his own: what Trainer does in a step, without epochs.
//
//     Stepper stepper(network, options);
//     while (...) result = stepper.Step(images, labels);
//
// A schedule is a matter of epochs, which there are none of here: the rates are the configured ones times a factor
// that the caller may change from step to step. A network that is frozen meanwhile goes on as fine_tune says, with new
// optimizers. Noise is keyed by (seed, number of the step): equal batches give equal networks.
#ifndef BITGATE_MODELS_TRAIN_STEPPER_H_
#define BITGATE_MODELS_TRAIN_STEPPER_H_

#include <map>
#include <memory>

#include "models/train/train_step.h"
#include "models/train/trainer.h"

namespace bitgate {

class Stepper {
 public:
  // The network must outlive it. Throws InvalidArgument for options out of range.
  Stepper(Network& network, const TrainerOptions& options);

  // images: as in StepInputs; labels: int32 [n], there or in host memory; n at least 1. Returns when the step is done.
  // Throws InvalidArgument for shapes, labels or a factor that do not fit, and FailedPrecondition for a loss that is
  // not finite (as it is for labels out of range that lie on a GPU): parameters are then as before the step, but for
  // ranges that the first batch of all decides and running statistics of batch norms, which may have moved and are
  // finite.
  StepResult Step(const Tensor& images, const Tensor& labels, double learning_rate_factor = 1);

  int64_t steps() const { return steps_; }  // taken

 private:
  // A batch where steps can be captured: at an address of its own.
  struct Staged {
    Tensor images, labels;
  };

  void BeginPhase();
  Tensor OnDevice(const Tensor& labels) const;
  void Stage(StepInputs* inputs);

  Network& network_;
  TrainerOptions options_;
  std::unique_ptr<TrainStep> step_;
  int64_t revision_ = 0;     // of the network, that the step belongs to
  int64_t phase_steps_ = 0;  // taken with it
  int64_t steps_ = 0;
  std::map<int64_t, Staged> staged_;  // by number of images
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_STEPPER_H_
