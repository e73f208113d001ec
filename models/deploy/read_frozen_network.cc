#include <cmath>

#include "models/deploy/fold_batch_norm.h"
#include "models/deploy/frozen_network.h"
#include "models/nn/network.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

std::vector<float> ReadParameter(Network& network, const std::string& name) {
  return ToHost<float>(network.context(), network.parameter(name).value);
}

FrozenLayer ReadLayer(Network& network, const Node& node) {
  FrozenLayer layer;
  for (const ParameterSpec& spec : node.spec.parameters) {
    if (spec.suffix == "weight") layer.shape = spec.shape;
    if (spec.suffix == "bias") layer.bias = ReadParameter(network, node.name + "/bias");
  }
  layer.weight.keep.assign(static_cast<size_t>(layer.shape[0]), true);
  return layer;
}

// The weights as the forward pass uses them; codes are those values in steps, exact because value = scale * code.
void ReadQuantizedWeight(Network& network, int site, const Prepared& prepared, FrozenLayer* layer) {
  Method& method = network.method();
  layer->weight = method.Freeze(network.context(), site);
  layer->values = ToHost<float>(network.context(), method.Weight(network.context(), prepared, site, /*gain=*/{}));
  if (layer->weight.encoding != Encoding::kInteger) return;
  for (float value : layer->values)
    layer->codes.push_back(static_cast<int32_t>(std::lrint(value / layer->weight.scale)));
}

BatchNormValues ReadNorm(Network& network, const Node& node) {
  const auto read = [&](const char* suffix) { return ReadParameter(network, node.name + "/" + suffix); };
  return {read("gamma"), read("beta"), read("running_mean"), read("running_variance"), node.attributes.epsilon()};
}

}  // namespace

FrozenNetwork ReadFrozenNetwork(Network& network) {
  if (!network.frozen()) {
    throw FailedPrecondition("export: network ", network.graph().name(),
                             " is not frozen: its bit widths are still being learned; freeze it first");
  }
  FrozenNetwork frozen{network.graph(), {}, {}};
  std::map<int, BatchNormValues> norms;
  for (const Node& node : network.graph().nodes()) {
    if (node.kind->traits().is_normalization) norms[node.index] = ReadNorm(network, node);
    if (!node.kind->traits().has_weight) continue;
    frozen.layers[node.index] = ReadLayer(network, node);
  }
  const std::unique_ptr<Prepared> prepared = network.method().Begin(network.context(), Mode::kEvaluate, {}, {});
  for (size_t i = 0; i < network.method().sites().size(); ++i) {
    const Site& site = network.method().sites()[i];
    const int index = static_cast<int>(i);
    if (site.role == Role::kWeight) {
      ReadQuantizedWeight(network, index, *prepared, &frozen.layers[site.node]);
    } else {
      frozen.activations[site.node] = network.method().Freeze(network.context(), index);
    }
  }
  for (auto& [node, layer] : frozen.layers) {
    if (layer.values.empty()) layer.values = ReadParameter(network, network.graph().node(node).name + "/weight");
  }
  return norms.empty() ? frozen : FoldNormsIntoWeights(frozen, norms);
}

}  // namespace bitgate
