#include "models/train/stepper.h"

#include <cmath>

#include "runtime/base/error.h"

namespace bitgate {

Stepper::Stepper(Network& network, const TrainerOptions& options) : network_(network), options_(options) {
  CheckPhase("gates", options.gates);
  CheckPhase("fine_tune", options.fine_tune);
  BeginPhase();
}

void Stepper::BeginPhase() {
  const PhaseOptions& phase = network_.frozen() ? options_.fine_tune : options_.gates;
  optimizers_ = std::make_unique<Optimizers>(network_.context(), network_.parameters(), GroupsOf(phase));
  revision_ = network_.revision();
  phase_steps_ = 0;
}

StepResult Stepper::Step(const Tensor& images, const Tensor& labels, double learning_rate_factor) {
  if (!(learning_rate_factor >= 0) || !std::isfinite(learning_rate_factor)) {
    throw InvalidArgument("step: expected a learning rate factor of at least 0, got ", learning_rate_factor);
  }
  if (!images.defined() || images.shape().rank() == 0 || images.shape()[0] < 1) {
    throw InvalidArgument("step: expected at least one image, got none");
  }
  if (revision_ != network_.revision()) BeginPhase();
  const GroupsOptions groups = GroupsOf(network_.frozen() ? options_.fine_tune : options_.gates);
  StepInputs inputs;
  inputs.images = images;
  inputs.labels = labels;
  inputs.key = {options_.seed, 0, static_cast<uint64_t>(steps_)};
  inputs.optimizer_step = phase_steps_ + 1;
  for (int group = 0; group < kParameterGroups; ++group) {
    inputs.learning_rates[group] = groups[group].learning_rate * learning_rate_factor;
  }
  const StepResult result = TrainStep(network_, tape_, *optimizers_, inputs, [this](const StepResult& step) {
    if (std::isfinite(step.loss) && std::isfinite(step.penalty)) return;
    throw FailedPrecondition("step: expected a finite loss, got cross-entropy ", step.loss, " and penalty ",
                             step.penalty, " in step ", steps_ + 1, "; a lower learning rate usually helps");
  });
  ++phase_steps_;
  ++steps_;
  return result;
}

}  // namespace bitgate
