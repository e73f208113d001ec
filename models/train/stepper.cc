#include "models/train/stepper.h"

#include <cmath>

#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

Stepper::Stepper(Network& network, const TrainerOptions& options) : network_(network), options_(options) {
  CheckPhase("gates", options.gates);
  CheckPhase("fine_tune", options.fine_tune);
  BeginPhase();
}

void Stepper::BeginPhase() {
  const PhaseOptions& phase = network_.frozen() ? options_.fine_tune : options_.gates;
  step_ = std::make_unique<TrainStep>(network_, GroupsOf(phase));
  revision_ = network_.revision();
  phase_steps_ = 0;
}

// Labels in host memory are looked at here: a GPU could only answer a wrong one with a loss that is no number.
Tensor Stepper::OnDevice(const Tensor& labels) const {
  Context& context = network_.context();
  if (!labels.defined() || labels.device() == context.device() || labels.device() != Device{}) return labels;
  if (labels.dtype() != DType::kInt32) {
    throw InvalidArgument("step: expected labels of dtype int32, got ", ToString(labels.dtype()));
  }
  const int64_t classes = network_.graph().shape(network_.graph().output()).back();
  const int32_t* values = static_cast<const int32_t*>(labels.view().data);
  for (int64_t i = 0; i < labels.size(); ++i) {
    if (values[i] >= 0 && values[i] < classes) continue;
    throw InvalidArgument("step: expected labels in [0, ", classes, "), got ", values[i], " at index ", i);
  }
  return FromHostBytes(context, values, labels.shape(), DType::kInt32);
}

void Stepper::Stage(StepInputs* inputs) {
  Context& context = network_.context();
  if (!context.backend().can_capture()) return;
  const int64_t count = inputs->images.shape()[0];
  if (inputs->labels.shape() != Shape{count} || inputs->images.device() != context.device()) return;  // to be refused
  auto staged = staged_.find(count);
  if (staged == staged_.end()) {
    if (staged_.size() >= TrainStep::kMaxKinds) return;
    const Staged fresh{Empty(context, inputs->images.shape()), Empty(context, {count}, DType::kInt32)};
    staged = staged_.emplace(count, fresh).first;
  }
  if (staged->second.images.shape() != inputs->images.shape()) return;
  CopyInto(context, staged->second.images, inputs->images);
  CopyInto(context, staged->second.labels, inputs->labels);
  inputs->images = staged->second.images;
  inputs->labels = staged->second.labels;
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
  inputs.labels = OnDevice(labels);
  inputs.key = {options_.seed, 0, static_cast<uint64_t>(steps_)};
  inputs.optimizer_step = phase_steps_ + 1;
  for (int group = 0; group < kParameterGroups; ++group) {
    inputs.learning_rates[group] = groups[group].learning_rate * learning_rate_factor;
  }
  Stage(&inputs);
  step_->Queue(inputs);
  const StepResult result = *step_->Take(/*wait=*/true);
  if (!result.learned) {
    step_->Proceed();
    throw FailedPrecondition("step: expected a finite loss, got cross-entropy ", result.loss, " and penalty ",
                             result.penalty, " in step ", steps_ + 1, "; a lower learning rate usually helps");
  }
  ++phase_steps_;
  ++steps_;
  return result;
}

}  // namespace bitgate
