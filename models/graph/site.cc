#include "models/graph/site.h"

#include <algorithm>
#include <optional>
#include <set>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

// A layer with what it absorbs: the batch norm behind it, and the nonlinearity behind that. Its output is quantized
// after the last.
std::vector<int> WithAbsorbed(const Graph& graph, int layer) {
  std::vector<int> nodes = {layer};
  if (const int norm = graph.NormBehind(layer); norm != kNoNode) nodes.push_back(norm);
  const std::vector<int>& behind = graph.consumers(nodes.back());
  if (behind.size() == 1 && graph.node(behind[0]).kind->traits().is_nonlinearity) nodes.push_back(behind[0]);
  return nodes;
}

double ConsumingMacs(const Graph& graph, int layer) {
  double macs = 0;
  for (const int consumer : graph.ConsumingLayers(layer)) macs += static_cast<double>(graph.node(consumer).spec.macs);
  return macs;
}

// Layers from which the network's output is reached without passing another layer with a weight.
std::set<int> LastLayers(const Graph& graph) {
  std::set<int> last;
  std::vector<int> open = {graph.output()};
  while (!open.empty()) {
    const int layer = graph.ProducingLayer(open.back());
    open.pop_back();
    if (layer == kNetworkInput || !last.insert(layer).second) continue;
    const Node& node = graph.node(layer);
    if (!node.kind->traits().has_weight) open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  return last;
}

bool IsDepthwise(const Graph& graph, const Node& node) {
  const int64_t groups = node.attributes.groups();
  return groups > 1 && groups == graph.shape(node.inputs[0]).back();
}

std::optional<Site> WeightSite(const Graph& graph, const Node& node, bool is_last) {
  const TensorPrecision& precision = node.weight ? *node.weight : graph.proto().default_weight();
  if (!node.kind->traits().has_weight || precision.leave_float()) return std::nullopt;
  std::vector<int> bits = AllowedBits(precision, Role::kWeight);
  const bool prunable = bits.front() == 0 && !is_last && !IsDepthwise(graph, node);
  if (!prunable) bits.erase(std::remove(bits.begin(), bits.end(), 0), bits.end());
  const Dims& shape = node.spec.parameters[0].shape;
  return Site{node.name + "/weight",
              Role::kWeight,
              node.index,
              node.index,
              shape,
              /*nonnegative=*/false,
              prunable,
              shape[0],
              static_cast<double>(node.spec.macs),
              bits};
}

const TensorPrecision& OutputPrecision(const Graph& graph, const std::vector<int>& absorbed) {
  const Node* said = nullptr;
  for (const int index : absorbed) {
    const Node& node = graph.node(index);
    if (!node.output) continue;
    if (said != nullptr) {
      throw InvalidArgument("graph '", graph.name(), "': node '", node.name,
                            "': output: expected a precision here or at '", said->name, "', got both");
    }
    said = &node;
  }
  return said != nullptr ? *said->output : graph.proto().default_output();
}

std::optional<Site> ActivationSite(const Graph& graph, const Node& layer) {
  const double macs = ConsumingMacs(graph, layer.index);
  const std::vector<int> absorbed = WithAbsorbed(graph, layer.index);
  const Node& node = graph.node(absorbed.back());
  const TensorPrecision& precision = OutputPrecision(graph, absorbed);
  if (macs == 0 || precision.leave_float()) return std::nullopt;
  return Site{layer.name + "/output",
              Role::kActivation,
              node.index,
              layer.index,
              node.spec.shape,
              node.kind->traits().is_nonnegative,
              /*prunable=*/false,
              node.spec.shape.back(),
              macs,
              AllowedBits(precision, Role::kActivation)};
}

// A precision that nothing would read is a mistake of the one who wrote it.
void CheckPrecisionsRead(const Graph& graph, const std::vector<Site>& sites) {
  std::set<int> read;
  for (const Site& site : sites) {
    if (site.role != Role::kActivation) continue;
    const std::vector<int> absorbed = WithAbsorbed(graph, site.layer);
    read.insert(absorbed.begin(), absorbed.end());
  }
  for (const Node& node : graph.nodes()) {
    if (!node.output || node.output->leave_float() || read.count(node.index) > 0) continue;
    throw InvalidArgument(
        "graph '", graph.name(), "': node '", node.name,
        "': output: expected a precision only where the output is quantized, got one where it is not");
  }
}

}  // namespace

std::vector<Site> QuantizationSites(const Graph& graph) {
  const std::set<int> last = LastLayers(graph);
  std::vector<Site> sites;
  for (const Node& node : graph.nodes()) {
    if (!graph.IsLayer(node.index)) continue;
    if (auto site = WeightSite(graph, node, last.count(node.index) > 0)) sites.push_back(*std::move(site));
    if (auto site = ActivationSite(graph, node)) sites.push_back(*std::move(site));
  }
  CheckPrecisionsRead(graph, sites);
  return sites;
}

double MaxMacs(const Graph& graph) {
  int64_t macs = 0;
  for (const Node& node : graph.nodes()) macs = std::max(macs, node.spec.macs);
  return static_cast<double>(macs);
}

}  // namespace bitgate
