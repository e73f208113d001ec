// Max pooling: MaxPool, whose padding is never picked either.
#include "models/deploy/kinds/kinds.h"
#include "models/deploy/kinds/pool.h"

namespace bitgate::deploy_kinds {
namespace {

class MaxPoolKind : public DeployKind {
 public:
  MaxPoolKind() : DeployKind("max_pool") {}

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    return {onnx.Node("MaxPool", {inputs[0].name}, node.node.name + "/output", PoolAttributes(node.node.spec.window)),
            {}};
  }
};

}  // namespace

const DeployKind& MaxPool() {
  static const auto* const kind = new MaxPoolKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
