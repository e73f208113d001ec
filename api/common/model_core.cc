#include "api/common/model_core.h"

#include <utility>

#include "api/common/devices.h"
#include "runtime/base/error.h"

namespace bitgate::api {

ModelCore::ModelCore(std::unique_ptr<jobs::Model> made) : model(std::move(made)) {
  KeepOpen(model->context().device());
}

const std::vector<ParameterVariable>& ModelCore::Parameters() {
  Network& network = model->network();
  if (revision_ == network.revision()) return parameters_;
  parameters_.clear();
  for (const Parameter* parameter : network.parameters()) {
    VariablePtr variable = NewVariable(parameter->value.Detached());
    variable->requires_grad = parameter->declaration.learned;
    parameters_.push_back({parameter->declaration.name, std::move(variable)});
  }
  revision_ = network.revision();
  return parameters_;
}

ModelCore::Forwarded ModelCore::Forward(Session& session, const VariablePtr& images, Mode mode, uint64_t step) {
  Network& network = model->network();
  const Device device = model->context().device(), of_session = session.context().device();
  if (of_session != device) {
    throw InvalidArgument("forward: expected a context on ", ToString(device), ", where the model is, got one on ",
                          ToString(of_session));
  }
  if (images->value.device() != device) {
    throw InvalidArgument("forward: expected images on ", ToString(device), ", where the model is, got them on ",
                          ToString(images->value.device()));
  }
  if (mode == Mode::kEvaluate) {
    return {NewVariable(network.Forward(images->value.Detached(), mode).logits.Detached()), nullptr};
  }
  return session.Record(model->context(), [&] {
    session.WatchNetwork(network, Parameters());
    const ForwardResult result =
        network.Forward(session.Operand(images), mode, RandomKey{model->config().training().seed(), 0, step});
    const Tensor penalty = session.WithDecay(network, Parameters(), result.penalty);
    return Forwarded{session.Wrap(result.logits), penalty.defined() ? session.Wrap(penalty) : nullptr};
  });
}

}  // namespace bitgate::api
