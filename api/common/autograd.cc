#include "api/common/autograd.h"

#include <utility>

#include "models/nn/full_gradient.h"
#include "runtime/base/error.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"

namespace bitgate::api {

Tensor Session::Operand(const VariablePtr& variable) {
  if (variable == nullptr) return Tensor();
  if (!recording_ || !variable->requires_grad) return variable->value;
  for (const Leaf& leaf : leaves_) {
    if (leaf.variable == variable && !leaf.rows) return leaf.watched;
  }
  leaves_.push_back({variable, variable->value});
  tape_.Watch(leaves_.back().watched);
  return leaves_.back().watched;
}

VariablePtr Session::Wrap(const Tensor& value) {
  VariablePtr variable = NewVariable(value);
  if (recording_ && value.gradient_id() != Tensor::kNoGradient) variable->recorded = generation_;
  return variable;
}

void Session::WatchNetwork(Network& network, const std::vector<ParameterVariable>& parameters) {
  if (!recording_) return;
  network.Watch(tape_);
  for (size_t i = 0; i < parameters.size(); ++i) {
    Parameter& parameter = *network.parameters()[i];
    if (!parameter.declaration.learned) continue;
    leaves_.push_back({parameters[i].variable, parameter.leaf()});
    if (parameter.gain.defined()) leaves_.back().rows = parameter;
  }
}

Tensor Session::WithDecay(Network& network, const std::vector<ParameterVariable>& parameters, const Tensor& penalty) {
  Tensor result = penalty;
  if (!recording_ || !penalty.defined()) return result;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Parameter& parameter = *network.parameters()[i];
    if (!parameter.decay.defined()) continue;
    leaves_.push_back({parameters[i].variable, parameter.value.Detached()});
    tape_.Watch(leaves_.back().watched);
    const Tensor before = result;
    result = before.Detached();
    const auto backward = [parameter](Context& context, const Tensor& gradient, GradientSink& sink) {
      sink.Set(0, gradient);
      sink.Set(1, FullGradient(context, parameter, {}, gradient));
    };
    RecordOp(network.context(), {&before, &leaves_.back().watched}, result, backward);
  }
  return result;
}

// A leaf may have been watched more than once since the last backward, so sums go on from those made before.
void Session::AddGradient(const Leaf& leaf, std::map<Variable*, Tensor>* sums) {
  Tensor gradient = tape_.Gradient(leaf.watched);
  if (!gradient.defined()) return;
  if (leaf.rows) gradient = FullGradient(context_, *leaf.rows, gradient, {});
  Tensor& sum = sums->emplace(leaf.variable.get(), leaf.variable->gradient).first->second;
  // What is handed out is nobody else's: the tape may have given one tensor to several leaves. And it is never added
  // into, for whoever holds it would see it change.
  if (!sum.defined()) {
    const bool shared = gradient.storage().use_count() > 2;  // the tape's and this
    sum = shared ? Clone(context_, gradient) : gradient.Detached();
  } else {
    const Tensor added = Empty(context_, gradient.shape());
    Add(context_, added, sum, gradient);
    sum = added;
  }
}

void Session::Backward(const Variable& loss, const std::function<void()>& before_leaves) {
  if (loss.recorded != generation_) {
    throw InvalidArgument("backward: expected a loss that ops computed from a tensor that requires a gradient, since ",
                          "the last backward, got shape ", loss.value.shape(), " without such a history");
  }
  if (loss.value.size() != 1) {
    throw InvalidArgument("backward: expected a loss of one element, got shape ", loss.value.shape());
  }
  std::map<Variable*, Tensor> sums;
  try {
    tape_.Backward(context_, loss.value);
    if (before_leaves) before_leaves();
    for (const Leaf& leaf : leaves_) AddGradient(leaf, &sums);
  } catch (...) {
    Forget();  // half of the record is gone: another backward would give half of the gradients
    throw;
  }
  for (auto& [variable, sum] : sums) variable->gradient = std::move(sum);
  Forget();
}

std::vector<VariablePtr> Session::Leaves() const {
  std::vector<VariablePtr> leaves;
  for (const Leaf& leaf : leaves_) leaves.push_back(leaf.variable);
  return leaves;
}

void Session::Forget() {
  tape_.Clear();
  leaves_.clear();
  generation_ = std::make_shared<const int>(0);
}

void Session::ForgetIfUnreachable() {
  if (!leaves_.empty() && generation_.use_count() == 1) Forget();
}

}  // namespace bitgate::api
