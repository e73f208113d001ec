#include "models/deploy/prune.h"

#include <algorithm>
#include <optional>
#include <type_traits>

#include "models/deploy/apply_fixed.h"
#include "models/deploy/check_frozen.h"
#include "models/deploy/deploy_kind.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

int64_t Count(const Channels& channels) { return std::count(channels.begin(), channels.end(), true); }

bool AllConstant(const Constants& constants) {
  return std::all_of(constants.begin(), constants.end(), [](const auto& constant) { return constant.has_value(); });
}

// Zero weights of the shape that the graph gives them, and a bias.
FrozenLayer ConstantLayer(const Node& node, const std::vector<float>& bias) {
  FrozenLayer layer;
  layer.shape = node.spec.parameters[0].shape;
  layer.weight.encoding = Encoding::kZero;
  layer.weight.bits = 0;
  layer.weight.is_signed = true;
  layer.weight.keep.assign(static_cast<size_t>(layer.shape[0]), false);
  layer.values.assign(static_cast<size_t>(ElementCount(node.name, layer.shape)), 0.0f);
  layer.bias = bias;
  return layer;
}

void SetBias(bool bias, Attributes* attributes) {
  if (attributes->bias() != bias) attributes->set_bias(bias);
}

// One removal. Forward: which channels are constants. Backward: which are needed. Forward: which are kept, where a
// layer keeps the same channels for all that read it. Then a new graph.
//
// A node of whose output nothing is needed is dead. Dead nodes are read by dead nodes and constant layers only, which
// do not care what they read.
class ChannelRemoval {
 public:
  ChannelRemoval(const FrozenNetwork& network, std::vector<std::string>* warnings)
      : network_(network), graph_(network.graph), warnings_(warnings) {}

  FrozenNetwork Run() {
    CheckFrozenNetwork(network_);
    FindConstants();
    FindNeeded();
    ChooseKept();
    Report();
    if (NothingToRemove()) return network_;
    LinkWithoutDead();
    return Build();
  }

 private:
  struct Tensor {
    Constants before, after;  // the output's quantizer
    Channels needed, kept;
    bool constant_layer = false;
    std::vector<int> inputs;  // in the new graph
    bool used = false;        // in the new graph
    bool is_dead() const { return Count(needed) == 0; }
  };

  const DeployKind& Kind(int index) const { return FindDeployKind(graph_.node(index).kind->name()); }

  template <class Member>
  auto OfInputs(int index, Member member) const {
    std::vector<std::decay_t<decltype(input_.*member)>> result;
    for (const int input : graph_.node(index).inputs) {
      result.push_back(input == kNetworkInput ? input_.*member : tensors_[input].*member);
    }
    return result;
  }

  void FindConstants();
  void FindNeeded();
  void ChooseKept();
  void LinkWithoutDead();
  int WithoutDead(int tensor) const;
  bool NothingToRemove() const;

  FrozenNetwork Build() const;
  NodeProto NewNode(int index, FrozenLayer* layer) const;
  std::vector<float> KeptConstants(int index) const;

  void Report() const;
  std::string FateOfLayer(int index) const;
  std::string Readers(int index) const;

  const FrozenNetwork& network_;
  const Graph& graph_;
  std::vector<std::string>* warnings_;
  Tensor input_;
  std::vector<Tensor> tensors_;  // by node
};

void ChannelRemoval::FindConstants() {
  const auto channels = static_cast<size_t>(graph_.input_shape().back());
  input_.after.assign(channels, std::nullopt);
  input_.kept.assign(channels, true);
  tensors_.resize(graph_.nodes().size());
  for (const Node& node : graph_.nodes()) {
    const DeployNode deploy_node = MakeDeployNode(network_, node.index);
    Tensor& tensor = tensors_[node.index];
    tensor.before = Kind(node.index).OutputConstants(deploy_node, OfInputs(node.index, &Tensor::after));
    tensor.after = tensor.before;
    if (deploy_node.output != nullptr) {
      for (std::optional<float>& constant : tensor.after) {
        if (deploy_node.output->encoding == Encoding::kZero) constant = 0.0f;
        if (constant) constant = ApplyFixed(*deploy_node.output, *constant);
      }
    }
    tensor.constant_layer = deploy_node.layer != nullptr && AllConstant(tensor.before);
    tensor.needed.assign(tensor.before.size(), node.index == graph_.output());
  }
}

void ChannelRemoval::FindNeeded() {
  for (int index = static_cast<int>(tensors_.size()) - 1; index >= 0; --index) {
    if (tensors_[index].is_dead() || tensors_[index].constant_layer) continue;
    const std::vector<Channels> needed = Kind(index).NeededInputs(
        MakeDeployNode(network_, index), OfInputs(index, &Tensor::after), tensors_[index].needed);
    for (size_t i = 0; i < needed.size(); ++i) {
      const int input = graph_.node(index).inputs[i];
      if (input == kNetworkInput) continue;
      Channels& all = tensors_[input].needed;
      for (size_t c = 0; c < all.size(); ++c) all[c] = all[c] || needed[i][c];
    }
  }
}

void ChannelRemoval::ChooseKept() {
  for (const Node& node : graph_.nodes()) {
    Tensor& tensor = tensors_[node.index];
    tensor.kept = tensor.needed;
    if (tensor.is_dead() || tensor.constant_layer) continue;
    tensor.kept =
        Kind(node.index)
            .KeptOutput(MakeDeployNode(network_, node.index), OfInputs(node.index, &Tensor::kept), tensor.needed);
  }
}

bool ChannelRemoval::NothingToRemove() const {
  return std::all_of(tensors_.begin(), tensors_.end(), [](const Tensor& tensor) {
    return !tensor.constant_layer && Count(tensor.kept) == static_cast<int64_t>(tensor.kept.size());
  });
}

// The nearest tensor at or before a dead one whose images are as large.
int ChannelRemoval::WithoutDead(int tensor) const {
  while (tensor != kNetworkInput && tensors_[tensor].is_dead()) {
    const int input = graph_.node(tensor).inputs[0];
    Dims from = graph_.shape(input), to = graph_.shape(tensor);
    from.pop_back();
    to.pop_back();
    if (from != to) break;
    tensor = input;
  }
  return tensor;
}

void ChannelRemoval::LinkWithoutDead() {
  tensors_[graph_.output()].used = true;
  for (int index = graph_.output(); index >= 0; --index) {
    Tensor& tensor = tensors_[index];
    if (!tensor.used) continue;
    for (const int input : graph_.node(index).inputs) {
      tensor.inputs.push_back(WithoutDead(input));
      if (tensor.inputs.back() != kNetworkInput) tensors_[tensor.inputs.back()].used = true;
    }
  }
}

std::vector<float> ChannelRemoval::KeptConstants(int index) const {
  const Tensor& tensor = tensors_[index];
  std::vector<float> constants;
  for (size_t c = 0; c < tensor.kept.size(); ++c) {
    if (tensor.kept[c]) constants.push_back(*tensor.before[c]);
  }
  return constants;
}

// `layer`: filled for layers that are neither dead nor constant.
NodeProto ChannelRemoval::NewNode(int index, FrozenLayer* layer) const {
  const Node& node = graph_.node(index);
  const Tensor& tensor = tensors_[index];
  NodeProto proto;
  for (const NodeProto& original : graph_.proto().node()) {
    if (original.name() == node.name) proto = original;
  }
  proto.clear_input();
  for (const int input : tensor.inputs) {
    proto.add_input(input == kNetworkInput ? graph_.input_name() : graph_.node(input).name);
  }
  if (tensor.is_dead()) proto.clear_output();
  if (!node.kind->traits().has_weight) return proto;
  Attributes* attributes = proto.mutable_attributes();
  if (tensor.is_dead() || tensor.constant_layer) {
    attributes->clear_groups();
    attributes->set_channels(tensor.is_dead() ? 1 : Count(tensor.kept));
    SetBias(!tensor.is_dead(), attributes);
  } else {
    const int input = node.inputs[0];
    const Tensor& from = input == kNetworkInput ? input_ : tensors_[input];
    *layer = network_.layers.at(index);
    Kind(index).RemoveChannels(MakeDeployNode(network_, index), from.kept, from.after, tensor.kept, attributes, layer);
  }
  return proto;
}

FrozenNetwork ChannelRemoval::Build() const {
  GraphProto proto = graph_.proto();
  proto.clear_node();
  proto.set_output(graph_.node(graph_.output()).name);
  std::map<int, FrozenLayer> layers;  // by old index
  for (const Node& node : graph_.nodes()) {
    if (tensors_[node.index].used) *proto.add_node() = NewNode(node.index, &layers[node.index]);
  }
  FrozenNetwork result{Graph::FromProto(proto), {}, {}};
  for (const Node& node : result.graph.nodes()) {
    const int old = graph_.node(node.name).index;
    const Tensor& tensor = tensors_[old];
    const auto activation = network_.activations.find(old);
    if (!tensor.is_dead() && activation != network_.activations.end()) {
      result.activations[node.index] = activation->second;
    }
    if (!node.kind->traits().has_weight) continue;
    const bool is_constant = tensor.is_dead() || tensor.constant_layer;
    result.layers[node.index] = is_constant ? ConstantLayer(node, KeptConstants(old)) : std::move(layers[old]);
  }
  CheckFrozenNetwork(result);
  return result;
}

std::string ChannelRemoval::Readers(int index) const {
  std::string readers;
  for (const int reader : graph_.ConsumingLayers(index)) {
    if (tensors_[reader].is_dead() || tensors_[reader].constant_layer) continue;
    readers += (readers.empty() ? "'" : ", '") + graph_.node(reader).name + "'";
  }
  return readers.empty() ? "the network's output" : readers;
}

// Empty if there is nothing to say.
std::string ChannelRemoval::FateOfLayer(int index) const {
  const Tensor& tensor = tensors_[index];
  const Fixed& weight = network_.layers.at(index).weight;
  if (tensor.constant_layer) {
    const bool all_pruned = weight.encoding == Encoding::kZero || (!weight.keep.empty() && Count(weight.keep) == 0);
    const std::string why = all_pruned ? "every output channel is pruned" : "all that it reads is constant";
    return why + (tensor.is_dead() ? "; removed, its constants are part of the layers behind it" : "; now a constant");
  }
  if (tensor.is_dead()) return "removed, since no layer that is left reads it";
  int64_t staying = 0;
  for (size_t c = 0; c < tensor.kept.size(); ++c) staying += tensor.kept[c] && tensor.before[c].has_value();
  if (staying == 0) return "";
  return "pruned channels that stay, with zero weights: " + std::to_string(staying) + " (read by " + Readers(index) +
         ", not all of which can do without)";
}

void ChannelRemoval::Report() const {
  if (warnings_ == nullptr) return;
  for (const Node& node : graph_.nodes()) {
    if (!node.kind->traits().has_weight) continue;
    const std::string fate = FateOfLayer(node.index);
    if (!fate.empty()) warnings_->push_back("layer '" + node.name + "': " + fate);
  }
  if (AllConstant(tensors_[graph_.output()].after)) {
    warnings_->push_back("graph '" + graph_.name() + "': the output is constant, whatever the input");
  }
}

}  // namespace

FrozenNetwork RemovePrunedChannels(const FrozenNetwork& network, std::vector<std::string>* warnings) {
  return ChannelRemoval(network, warnings).Run();
}

}  // namespace bitgate
