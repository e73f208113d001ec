// Sum of two tensors: Add. Needs all channels of both, since a constant of one is added to what is none in the other.
#include "models/deploy/kinds/kinds.h"

namespace bitgate::deploy_kinds {
namespace {

class AddKind : public DeployKind {
 public:
  AddKind() : DeployKind("add") {}

  Constants OutputConstants(const DeployNode&, const std::vector<Constants>& inputs) const override {
    Constants constants(inputs[0].size());
    for (size_t c = 0; c < constants.size(); ++c) {
      if (inputs[0][c] && inputs[1][c]) constants[c] = *inputs[0][c] + *inputs[1][c];
    }
    return constants;
  }

  std::vector<Channels> NeededInputs(const DeployNode&, const std::vector<Constants>&,
                                     const Channels& needed) const override {
    return {Channels(needed.size(), true), Channels(needed.size(), true)};
  }

  // Both inputs have all channels where the sum is needed.
  Channels KeptOutput(const DeployNode&, const std::vector<Channels>& kept_inputs, const Channels&) const override {
    return kept_inputs[0];
  }

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    return {onnx.Node("Add", {inputs[0].name, inputs[1].name}, node.node.name + "/output"), {}};
  }
};

}  // namespace

const DeployKind& Add() {
  static const auto* const kind = new AddKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
