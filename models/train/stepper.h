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

#include <memory>

#include "models/train/train_step.h"
#include "models/train/trainer.h"

namespace bitgate {

class Stepper {
 public:
  // The network must outlive it. Throws InvalidArgument for options out of range.
  Stepper(Network& network, const TrainerOptions& options);

  // images and labels as in StepInputs; n at least 1. Throws InvalidArgument for shapes, labels or a factor that do not
  // fit, and FailedPrecondition for a loss that is not finite: parameters are then as before the step, but for
  // ranges that the first batch of all decides.
  StepResult Step(const Tensor& images, const Tensor& labels, double learning_rate_factor = 1);

  int64_t steps() const { return steps_; }  // taken

 private:
  void BeginPhase();

  Network& network_;
  TrainerOptions options_;
  Tape tape_;
  std::unique_ptr<Optimizers> optimizers_;
  int64_t revision_ = 0;     // of the network, that the optimizers belong to
  int64_t phase_steps_ = 0;  // taken with these optimizers
  int64_t steps_ = 0;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_STEPPER_H_
