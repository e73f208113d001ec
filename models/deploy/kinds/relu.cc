// Relu; nothing where the quantizer behind it has no negative values.
#include <algorithm>

#include "models/deploy/kinds/kinds.h"
#include "models/deploy/onnx_quantizer.h"

namespace bitgate::deploy_kinds {
namespace {

class ReluKind : public DeployKind {
 public:
  ReluKind() : DeployKind("relu") {}

  Constants OutputConstants(const DeployNode&, const std::vector<Constants>& inputs) const override {
    Constants constants = inputs[0];
    for (std::optional<float>& constant : constants) {
      if (constant) constant = std::max(*constant, 0.0f);
    }
    return constants;
  }

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    if (node.output != nullptr && AbsorbsRelu(*node.output)) return inputs[0];
    return {onnx.Node("Relu", {inputs[0].name}, node.node.name + "/output"), inputs[0].flattened};
  }
};

}  // namespace

const DeployKind& Relu() {
  static const auto* const kind = new ReluKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
