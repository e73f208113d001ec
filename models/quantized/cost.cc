#include "models/quantized/cost.h"

#include <set>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

void CheckState(const std::string& where, const Site& site, const SiteState& state) {
  const int fewest = site.role == Role::kWeight ? 0 : 1;
  if (state.bits < fewest || state.bits > kFloatBits) {
    throw InvalidArgument(where, ": bits: expected ", fewest, " to ", kFloatBits, ", got ", state.bits);
  }
  if (site.role == Role::kWeight && (state.kept_channels < 0 || state.kept_channels > site.channels)) {
    throw InvalidArgument(where, ": kept_channels: expected 0 to ", site.channels, ", got ", state.kept_channels);
  }
}

void CheckStates(const Graph& graph, const std::vector<Site>& sites, const SiteStates& states) {
  std::set<std::string> names;
  for (const Site& site : sites) {
    const std::string where = "cost of graph '" + graph.name() + "': site '" + site.name + "'";
    const auto found = states.find(site.name);
    if (found == states.end()) throw InvalidArgument(where, ": expected a state, got none");
    CheckState(where, site, found->second);
    names.insert(site.name);
  }
  for (const auto& [name, state] : states) {
    if (names.count(name) > 0) continue;
    throw InvalidArgument("cost of graph '", graph.name(), "': expected states of its sites only, got one of '", name,
                          "'");
  }
}

struct Channels {
  int64_t kept, all;
};

// The states by layer, with the defaults of tensors that are not quantized.
class Decisions {
 public:
  Decisions(const Graph& graph, const std::vector<Site>& sites, const SiteStates& states) : graph_(graph) {
    for (const Site& site : sites) {
      (site.role == Role::kWeight ? weights_ : outputs_)[site.layer] = states.at(site.name);
    }
  }

  bool HasWeightSite(int layer) const { return weights_.count(layer) > 0; }
  int WeightBits(int layer) const { return BitsOrFloat(weights_, layer); }
  // Of a weight as it is stored.
  int StoredBits(int layer) const {
    const auto found = weights_.find(layer);
    return WeightBits(layer) + (found != weights_.end() && found->second.sign_apart ? 1 : 0);
  }
  int OutputBits(int layer) const { return layer == kNetworkInput ? kInputBits : BitsOrFloat(outputs_, layer); }

  Channels OutputChannels(int layer) const {
    const int64_t all = graph_.shape(layer).back();
    const auto found = weights_.find(layer);
    if (found == weights_.end()) return {all, all};
    return {found->second.bits == 0 ? 0 : found->second.kept_channels, all};
  }

 private:
  using ByLayer = std::map<int, SiteState>;

  static int BitsOrFloat(const ByLayer& states, int layer) {
    const auto found = states.find(layer);
    return found == states.end() ? kFloatBits : found->second.bits;
  }

  const Graph& graph_;
  ByLayer weights_, outputs_;
};

double Fraction(Channels channels) { return static_cast<double>(channels.kept) / static_cast<double>(channels.all); }

// Where groups do not divide evenly, the removed input channels are spread over the groups and a fraction counts as
// one.
int64_t WeightBytes(int64_t weights_per_channel, int bits, Channels out, Channels in) {
  const int64_t weights = (out.kept * weights_per_channel * in.kept + in.all - 1) / in.all;
  return (weights * bits + 7) / 8;
}

// A batch norm folds into a bias.
bool HasBias(const Graph& graph, const Node& node) {
  return node.attributes.bias() || graph.NormBehind(node.index) != kNoNode;
}

LayerCost CostOfLayer(const Graph& graph, const Node& node, const Decisions& decisions) {
  const int producer = graph.ProducingLayer(node.inputs[0]);
  const Channels out = decisions.OutputChannels(node.index);
  const Channels in = decisions.OutputChannels(producer);
  LayerCost cost{};
  cost.layer = node.index;
  cost.weight_bits = decisions.WeightBits(node.index);
  cost.input_bits = decisions.OutputBits(producer);
  cost.channels = out.all;
  cost.kept_channels = out.kept;
  cost.input_channels = in.all;
  cost.kept_input_channels = in.kept;
  cost.macs = static_cast<double>(node.spec.macs);
  cost.bops = cost.macs * cost.weight_bits * cost.input_bits * Fraction(out) * Fraction(in);
  cost.bytes = WeightBytes(node.spec.parameters[0].fan_in, decisions.StoredBits(node.index), out, in);
  if (HasBias(graph, node)) cost.bytes += 4 * out.kept;
  return cost;
}

int64_t WeightCount(const Node& node) { return ElementCount(node.name, node.spec.parameters[0].shape); }

int64_t FloatBytes(const Graph& graph, const Node& node) {
  const int64_t biases = HasBias(graph, node) ? node.spec.shape.back() : 0;
  return 4 * (WeightCount(node) + biases);
}

}  // namespace

SiteStates UniformStates(const std::vector<Site>& sites, int bits) {
  SiteStates states;
  for (const Site& site : sites) states[site.name] = {bits, site.channels};
  return states;
}

NetworkCost ComputeCost(const Graph& graph, const SiteStates& states) {
  const std::vector<Site> sites = QuantizationSites(graph);
  CheckStates(graph, sites, states);
  const Decisions decisions(graph, sites, states);
  NetworkCost network{};
  for (const Node& node : graph.nodes()) {
    if (!node.kind->traits().has_weight) continue;
    const LayerCost layer = CostOfLayer(graph, node, decisions);
    network.layers.push_back(layer);
    network.macs += layer.macs;
    network.bops += layer.bops;
    network.bytes += layer.bytes;
    network.float_bytes += FloatBytes(graph, node);
    if (!decisions.HasWeightSite(node.index)) continue;
    const auto weights = static_cast<double>(WeightCount(node));
    network.quantized_weights += weights;
    network.weight_bits += weights * layer.weight_bits;
  }
  network.float_bops = network.macs * kFloatBits * kFloatBits;
  return network;
}

}  // namespace bitgate
