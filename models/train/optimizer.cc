#include "models/train/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/host_tensor.h"

namespace bitgate {
namespace {

constexpr char kPrefix[] = "optimizer/";
constexpr char kFirstMoment[] = "first_moment";
constexpr char kSecondMoment[] = "second_moment";

std::string StateName(const std::string& part, const char* moment) { return kPrefix + part + "/" + moment; }

bool EndsWith(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::vector<ParameterPart> Parts(const ParameterDeclaration& declaration) {
  if (!declaration.parts.empty()) return declaration.parts;
  return {{declaration.name, 0, declaration.shape}};
}

void SaveMoment(Context& context, const ParameterDeclaration& declaration, const char* name, const Tensor& moment,
                std::map<std::string, Tensor>* tensors) {
  if (!moment.defined()) return;
  const std::vector<float> values = ToHost<float>(context, moment);
  for (const ParameterPart& part : Parts(declaration)) {
    const auto begin = values.begin() + part.offset;
    (*tensors)[StateName(part.name, name)] =
        HostTensor(std::vector<float>(begin, begin + part.shape.size()), part.shape);
  }
}

// Counts the tensors it used.
int64_t LoadMoment(Context& context, const ParameterDeclaration& declaration, const char* name,
                   const std::map<std::string, Tensor>& tensors, const Tensor& moment) {
  if (!moment.defined()) return 0;
  std::vector<float> values(moment.size());
  int64_t used = 0;
  for (const ParameterPart& part : Parts(declaration)) {
    const auto found = tensors.find(StateName(part.name, name));
    if (found == tensors.end()) {
      throw FailedPrecondition("optimizers: expected the tensor ", StateName(part.name, name), ", got none");
    }
    if (found->second.shape() != part.shape) {
      throw FailedPrecondition("optimizers: ", found->first, ": expected shape ", part.shape, ", got ",
                               found->second.shape());
    }
    std::copy_n(found->second.data<float>(), part.shape.size(), values.begin() + part.offset);
    ++used;
  }
  CopyInto(context, moment, FromHost(context, values, moment.shape()));
  return used;
}

void CheckRange(const std::string& where, const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return;
  throw InvalidArgument(where, ": expected ", name, " in [", low, ", ", high, "], got ", value);
}

}  // namespace

const char* ToString(ParameterGroup group) {
  switch (group) {
    case ParameterGroup::kWeights:
      return "weights";
    case ParameterGroup::kGates:
      return "gates";
    case ParameterGroup::kRanges:
      return "ranges";
  }
  return "?";
}

void CheckGroupOptions(const std::string& where, const GroupOptions& options) {
  CheckRange(where, "learning_rate", options.learning_rate, 0, 1e6);
  CheckRange(where, "weight_decay", options.weight_decay, 0, 1e6);
  CheckRange(where, "beta1", options.beta1, 0, 1 - 1e-6);
  CheckRange(where, "beta2", options.beta2, 0, 1 - 1e-6);
  CheckRange(where, "epsilon", options.epsilon, 1e-30, 1);
  CheckRange(where, "momentum", options.momentum, 0, 1 - 1e-6);
  if (options.optimizer == OptimizerKind::kSgd && options.nesterov && options.momentum == 0) {
    throw InvalidArgument(where, ": expected momentum above 0 with nesterov, got 0");
  }
  CheckSchedule(where, options.schedule);
}

Optimizers::Optimizers(Context& context, const std::vector<Parameter*>& parameters, const GroupsOptions& options)
    : context_(context), options_(options) {
  for (Parameter* parameter : parameters) {
    if (parameter->value.size() == 0 || !parameter->declaration.learned) continue;
    const int group = static_cast<int>(parameter->declaration.group);
    const bool adam = options[group].optimizer == OptimizerKind::kAdam;
    Slot slot{parameter, {}, {}};
    if (adam || options[group].momentum > 0) slot.first_moment = Zeros(context, parameter->value.shape());
    if (adam) slot.second_moment = Zeros(context, parameter->value.shape());
    groups_[group].push_back(std::move(slot));
  }
}

std::array<StepScalars, kParameterGroups> Optimizers::Scalars(
    int64_t step, const std::array<double, kParameterGroups>& learning_rates) const {
  std::array<StepScalars, kParameterGroups> scalars;
  for (int group = 0; group < kParameterGroups; ++group) {
    const GroupOptions& options = options_[group];
    const double rate = learning_rates[group];
    scalars[group] =
        options.optimizer == OptimizerKind::kAdam
            ? AdamScalars({rate, options.beta1, options.beta2, options.epsilon, options.weight_decay}, step)
            : SgdScalars({rate, options.momentum, options.nesterov, options.weight_decay});
  }
  return scalars;
}

void Optimizers::Step(const Tape& tape, const Tensor& scalars, const Tensor& proceed) {
  std::vector<UpdateGroup> all;
  for (int group = 0; group < kParameterGroups; ++group) {
    const GroupOptions& options = options_[group];
    const SgdOptions sgd{options.learning_rate, options.momentum, options.nesterov, options.weight_decay};
    UpdateGroup update_group;
    update_group.kind = options.optimizer == OptimizerKind::kAdam ? UpdateKind::kAdam : SgdKind(sgd);
    update_group.scalars = ReshapeView(SliceView(scalars, 0, group, group + 1), {kStepScalars});
    for (const Slot& slot : groups_[group]) {
      const Tensor gradient = tape.Gradient(slot.parameter->leaf());
      if (!gradient.defined()) continue;
      ParameterUpdate update;
      update.parameter = slot.parameter->value;
      update.gradient = gradient;
      update.first_moment = slot.first_moment;
      update.second_moment = slot.second_moment;
      update.gain = slot.parameter->gain;
      update.decay = slot.parameter->decay;
      update.low = slot.parameter->declaration.low;
      update.high = slot.parameter->declaration.high;
      update_group.updates.push_back(std::move(update));
    }
    all.push_back(std::move(update_group));
  }
  OptimizerStep(context_, all, proceed);
}

std::map<std::string, Tensor> Optimizers::StateTensors() const {
  std::map<std::string, Tensor> tensors;
  for (const std::vector<Slot>& group : groups_) {
    for (const Slot& slot : group) {
      SaveMoment(context_, slot.parameter->declaration, kFirstMoment, slot.first_moment, &tensors);
      SaveMoment(context_, slot.parameter->declaration, kSecondMoment, slot.second_moment, &tensors);
    }
  }
  return tensors;
}

void Optimizers::Load(const std::map<std::string, Tensor>& tensors) {
  int64_t used = 0;
  for (const std::vector<Slot>& group : groups_) {
    for (const Slot& slot : group) {
      const ParameterDeclaration& declaration = slot.parameter->declaration;
      used += LoadMoment(context_, declaration, kFirstMoment, tensors, slot.first_moment);
      used += LoadMoment(context_, declaration, kSecondMoment, tensors, slot.second_moment);
    }
  }
  if (used == static_cast<int64_t>(tensors.size())) return;
  const std::map<std::string, Tensor> expected = StateTensors();
  for (const auto& [name, tensor] : tensors) {
    if (expected.count(name) == 0) {
      throw FailedPrecondition("optimizers: expected no tensor ", name, " with these optimizers, got one");
    }
  }
}

bool Optimizers::IsStateName(const std::string& name) {
  if (name.rfind(kPrefix, 0) != 0) return false;
  return EndsWith(name, std::string("/") + kFirstMoment) || EndsWith(name, std::string("/") + kSecondMoment);
}

}  // namespace bitgate
