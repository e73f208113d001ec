#include "api/common/model_core.h"

namespace bitgate::api {

const std::vector<ParameterVariable>& ModelCore::Parameters() {
  Network& network = model->network();
  if (revision_ == network.revision()) return parameters_;
  parameters_.clear();
  for (const Parameter* parameter : network.parameters()) {
    VariablePtr variable = NewVariable(parameter->value.Detached());
    variable->requires_grad = true;
    parameters_.push_back({parameter->declaration.name, std::move(variable)});
  }
  revision_ = network.revision();
  return parameters_;
}

ModelCore::Forwarded ModelCore::Forward(Session& session, const VariablePtr& images, Mode mode, uint64_t step) {
  Network& network = model->network();
  if (mode == Mode::kEvaluate) {
    return {NewVariable(network.Forward(images->value.Detached(), mode).logits.Detached()), nullptr};
  }
  return session.Record(model->context(), [&] {
    session.WatchNetwork(network, Parameters());
    const ForwardResult result =
        network.Forward(session.Operand(images), mode, {model->config().training().seed(), 0, step});
    return Forwarded{session.Wrap(result.logits), result.penalty.defined() ? session.Wrap(result.penalty) : nullptr};
  });
}

}  // namespace bitgate::api
