#include "models/deploy/check_frozen.h"

#include <cmath>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

void CheckFixed(const std::string& where, const Fixed& fixed) {
  if (fixed.encoding == Encoding::kInteger) {
    if (!(fixed.scale > 0) || !std::isfinite(fixed.scale)) {
      throw InvalidArgument(where, ": scale: expected a positive number, got ", fixed.scale);
    }
    constexpr int32_t kMaxCode = 65535;
    if (fixed.qmin > 0 || fixed.qmax < 0 || fixed.qmin < -kMaxCode || fixed.qmax > kMaxCode) {
      throw InvalidArgument(where, ": codes: expected a range around 0 within +-", kMaxCode, ", got ", fixed.qmin,
                            " to ", fixed.qmax);
    }
  }
  if (fixed.encoding == Encoding::kClip && !(fixed.low <= fixed.high)) {
    throw InvalidArgument(where, ": range: expected low <= high, got ", fixed.low, " to ", fixed.high);
  }
}

void CheckSize(const std::string& where, size_t expected, size_t got) {
  if (expected != got) throw InvalidArgument(where, ": expected ", expected, " elements, got ", got);
}

void CheckScales(const std::string& where, const FrozenLayer& layer, size_t channels) {
  if (layer.scales.empty()) return;
  CheckSize(where, layer.weight.encoding == Encoding::kInteger ? channels : 0, layer.scales.size());
  for (const float scale : layer.scales) {
    if (!(scale > 0) || !std::isfinite(scale)) {
      throw InvalidArgument(where, ": expected positive numbers, got ", scale);
    }
  }
}

void CheckCodes(const std::string& where, const FrozenLayer& layer) {
  for (const int32_t code : layer.codes) {
    if (code >= layer.weight.qmin && code <= layer.weight.qmax) continue;
    throw InvalidArgument(where, ": expected ", layer.weight.qmin, " to ", layer.weight.qmax, ", got ", code);
  }
}

void CheckFinite(const std::string& where, const std::vector<float>& values) {
  for (const float value : values) {
    if (!std::isfinite(value)) throw InvalidArgument(where, ": expected finite values, got ", value);
  }
}

void CheckLayer(const std::string& where, const Node& node, const FrozenLayer& layer) {
  const Dims& shape = node.spec.parameters[0].shape;
  if (layer.shape != shape) {
    throw InvalidArgument(where, ": weight: expected shape ", DimsText(shape), ", got ", DimsText(layer.shape));
  }
  const size_t elements = static_cast<size_t>(ElementCount(where, shape));
  const size_t channels = static_cast<size_t>(shape[0]);
  CheckFixed(where + ": weight", layer.weight);
  CheckSize(where + ": weight values", elements, layer.values.size());
  CheckFinite(where + ": weight values", layer.values);
  if (layer.weight.encoding == Encoding::kInteger) {
    CheckSize(where + ": weight codes", elements, layer.codes.size());
    CheckCodes(where + ": weight codes", layer);
  }
  CheckScales(where + ": weight scales", layer, channels);
  if (!layer.weight.keep.empty()) CheckSize(where + ": weight keep", channels, layer.weight.keep.size());
  CheckSize(where + ": bias", node.attributes.bias() ? channels : 0, layer.bias.size());
  CheckFinite(where + ": bias", layer.bias);
}

}  // namespace

void CheckFrozenNetwork(const FrozenNetwork& network) {
  const std::string prefix = "frozen network '" + network.graph.name() + "': ";
  const int nodes = static_cast<int>(network.graph.nodes().size());
  for (const Node& node : network.graph.nodes()) {
    const std::string where = prefix + "node '" + node.name + "'";
    const auto layer = network.layers.find(node.index);
    const bool has_layer = layer != network.layers.end();
    if (node.kind->traits().has_weight != has_layer) {
      throw InvalidArgument(where, ": weight: expected ", has_layer ? "none" : "one", " for kind ", node.kind->name(),
                            ", got ", has_layer ? "one" : "none");
    }
    if (has_layer) CheckLayer(where, node, layer->second);
  }
  for (const auto& [index, fixed] : network.activations) {
    if (index < 0 || index >= nodes) {
      throw InvalidArgument(prefix, "activations: expected an index below ", nodes, ", got ", index);
    }
    CheckFixed(prefix + "node '" + network.graph.node(index).name + "': output", fixed);
  }
  for (const auto& [index, layer] : network.layers) {
    if (index >= 0 && index < nodes) continue;
    throw InvalidArgument(prefix, "layers: expected an index below ", nodes, ", got ", index);
  }
}

}  // namespace bitgate
