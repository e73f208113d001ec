#include "models/deploy/deploy_kind.h"

#include <algorithm>

#include "models/deploy/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

const std::vector<const DeployKind*>& Table() {
  static const auto* const table = new std::vector<const DeployKind*>{
#define BITGATE_DEPLOY_KIND(Kind) &deploy_kinds::Kind(),
#include "models/deploy/kinds/kind_list.inc"
#undef BITGATE_DEPLOY_KIND
  };
  return *table;
}

}  // namespace

DeployNode MakeDeployNode(const FrozenNetwork& network, int index) {
  const auto layer = network.layers.find(index);
  const auto output = network.activations.find(index);
  return {network.graph, network.graph.node(index), layer == network.layers.end() ? nullptr : &layer->second,
          output == network.activations.end() ? nullptr : &output->second};
}

Constants DeployKind::OutputConstants(const DeployNode&, const std::vector<Constants>& inputs) const {
  return inputs[0];
}

std::vector<Channels> DeployKind::NeededInputs(const DeployNode&, const std::vector<Constants>&,
                                               const Channels& needed) const {
  return {needed};
}

Channels DeployKind::KeptOutput(const DeployNode&, const std::vector<Channels>& kept_inputs, const Channels&) const {
  return kept_inputs[0];
}

void DeployKind::RemoveChannels(const DeployNode& node, const Channels&, const Constants&, const Channels&, Attributes*,
                                FrozenLayer*) const {
  throw Internal("deploy: node '", node.node.name, "': expected a kind with a weight, got ", name());
}

const DeployKind& FindDeployKind(const std::string& name) {
  for (const DeployKind* kind : Table()) {
    if (kind->name() == name) return *kind;
  }
  throw InvalidArgument("deploy: expected a kind of layer that can be exported, got '", name, "'");
}

std::vector<std::string> DeployKindNames() {
  std::vector<std::string> names;
  for (const DeployKind* kind : Table()) names.push_back(kind->name());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace bitgate
