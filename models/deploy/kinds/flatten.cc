// [height, width, channels] to features. ONNX's order is another one: the linear layers behind follow it with their
// weights; if anybody else reads the features, the image is transposed first.
#include <algorithm>

#include "models/deploy/kinds/kinds.h"

namespace bitgate::deploy_kinds {
namespace {

template <class T>
std::vector<T> RepeatedTo(size_t features, const std::vector<T>& channels) {
  std::vector<T> result;
  result.reserve(features);
  for (size_t f = 0; f < features; ++f) result.push_back(channels[f % channels.size()]);
  return result;
}

bool OnlyLinearLayersRead(const Graph& graph, int tensor) {
  const std::vector<int> layers = graph.ConsumingLayers(tensor);
  // The output is read by whoever runs the network; ConsumingLayers does not tell.
  if (graph.ProducingLayer(graph.output()) == graph.ProducingLayer(tensor)) return false;
  return std::all_of(layers.begin(), layers.end(),
                     [&](int layer) { return graph.node(layer).kind->name() == "linear"; });
}

class FlattenKind : public DeployKind {
 public:
  FlattenKind() : DeployKind("flatten") {}

  Constants OutputConstants(const DeployNode& node, const std::vector<Constants>& inputs) const override {
    return RepeatedTo(static_cast<size_t>(node.node.spec.shape[0]), inputs[0]);
  }

  std::vector<Channels> NeededInputs(const DeployNode& node, const std::vector<Constants>&,
                                     const Channels& needed) const override {
    Channels channels(static_cast<size_t>(node.graph.shape(node.node.inputs[0]).back()), false);
    for (size_t f = 0; f < needed.size(); ++f) {
      if (needed[f]) channels[f % channels.size()] = true;
    }
    return {channels};
  }

  Channels KeptOutput(const DeployNode&, const std::vector<Channels>& kept_inputs,
                      const Channels& needed) const override {
    return RepeatedTo(needed.size(), kept_inputs[0]);
  }

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    const Dims& shape = node.graph.shape(node.node.inputs[0]);
    const std::string& name = node.node.name;
    const bool is_image = shape.size() == 3;
    const bool same_order = !is_image || shape[2] == 1 || shape[0] * shape[1] == 1;
    std::string value = inputs[0].name;
    Dims flattened = is_image ? Dims() : inputs[0].flattened;
    if (!same_order && OnlyLinearLayersRead(node.graph, node.node.index)) {
      flattened = shape;
    } else if (!same_order) {
      value = onnx.Node("Transpose", {value}, name + "/channels_last", {{"perm", {0, 2, 3, 1}}});
    }
    return {onnx.Node("Flatten", {value}, name + "/output", {}, {{"axis", 1}}), flattened};
  }
};

}  // namespace

const DeployKind& Flatten() {
  static const auto* const kind = new FlattenKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
