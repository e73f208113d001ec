#include "models/graph/graph_validator.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "models/graph/attributes.h"
#include "models/graph/precision.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// Far above any network; keeps the time that a hostile file can cost small.
constexpr int kMaxNodes = 10000;

void CheckName(const std::string& where, const std::string& name) {
  static const char* const kAllowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  if (name.empty() || name.find_first_not_of(kAllowed) != std::string::npos) {
    throw InvalidArgument(where, ": name: expected letters, digits, '_', '-' and '.', got '", name, "'");
  }
}

void CheckPerChannel(const std::string& where, const google::protobuf::RepeatedField<double>& values,
                     const Dims& shape) {
  if (values.size() > 1 && values.size() != shape.back()) {
    throw InvalidArgument(where, ": expected one value, or one for each of ", shape.back(),
                          shape.size() == 1 ? " features" : " channels", ", got ", values.size());
  }
  for (const double value : values) {
    if (!std::isfinite(static_cast<float>(value))) {
      throw InvalidArgument(where, ": expected finite float32 values, got ", value);
    }
  }
}

// Values are judged as the float32 numbers that preprocessing computes with.
void CheckPreprocessing(const std::string& where, const Preprocessing& preprocessing, const Dims& shape) {
  const float scale = static_cast<float>(preprocessing.scale());
  if (!std::isfinite(scale) || scale == 0) {
    throw InvalidArgument(where, ": scale: expected a finite value other than 0, got ", preprocessing.scale());
  }
  CheckPerChannel(where + ": mean", preprocessing.mean(), shape);
  CheckPerChannel(where + ": std", preprocessing.std(), shape);
  for (const double value : preprocessing.std()) {
    if (static_cast<float>(value) <= 0) throw InvalidArgument(where, ": std: expected positive values, got ", value);
  }
}

}  // namespace

Graph GraphValidator::Build() {
  CheckName("graph", proto_.name());
  if (proto_.node().empty()) throw InvalidArgument(Where(), ": node: expected at least one, got none");
  if (proto_.node_size() > kMaxNodes) {
    throw InvalidArgument(Where(), ": node: expected at most ", kMaxNodes, ", got ", proto_.node_size());
  }
  Graph graph;
  graph.proto_ = proto_;
  CheckInput(&graph);
  CheckPrecision(Where() + ": default_weight", proto_.default_weight(), Role::kWeight);
  CheckPrecision(Where() + ": default_output", proto_.default_output(), Role::kActivation);
  IndexNames();
  ResolveKindsAndInputs();
  SortNodes();
  graph.output_ = index_[OutputPosition()];
  graph.consumers_.resize(order_.size() + 1);
  for (const int position : order_) {
    graph.nodes_.push_back(MakeNode(graph, position));
    const Node& node = graph.nodes_.back();
    for (const int input : std::set<int>(node.inputs.begin(), node.inputs.end())) {
      graph.consumers_[input + 1].push_back(node.index);
    }
  }
  CheckNorms(graph);
  CheckAllUsed(graph);
  return graph;
}

void GraphValidator::CheckInput(Graph* graph) const {
  const std::string where = Where() + ": input";
  const InputProto& input = proto_.input();
  CheckName(where, input.name());
  graph->input_shape_.assign(input.shape().begin(), input.shape().end());
  if (input.shape_size() != 1 && input.shape_size() != 3) {
    throw InvalidArgument(where, ": shape: expected [height, width, channels] or [features], got ",
                          DimsText(graph->input_shape_));
  }
  ElementCount(where + ": shape", graph->input_shape_);
  CheckPreprocessing(where + ": preprocessing", input.preprocessing(), graph->input_shape_);
}

void GraphValidator::IndexNames() {
  position_[proto_.input().name()] = kNetworkInput;
  for (int position = 0; position < proto_.node_size(); ++position) {
    const std::string& name = proto_.node(position).name();
    CheckName(Where() + ": node " + std::to_string(position + 1) + " of " + std::to_string(proto_.node_size()), name);
    if (!position_.emplace(name, position).second) {
      throw InvalidArgument(Where(), ": node '", name,
                            "': name: expected a name of its own, got one that is used already");
    }
  }
}

void GraphValidator::ResolveKindsAndInputs() {
  for (const NodeProto& node : proto_.node()) {
    const LayerKind* kind = FindLayerKind(node.kind());
    if (kind == nullptr) {
      throw InvalidArgument(Where(node), ": kind: expected one of ", NameList(LayerKindNames()), ", got '", node.kind(),
                            "'");
    }
    if (node.input_size() != kind->traits().inputs) {
      throw InvalidArgument(Where(node), ": input: expected ", kind->traits().inputs, " for kind ", kind->name(),
                            ", got ", node.input_size());
    }
    std::vector<int> inputs;
    for (const std::string& name : node.input()) {
      const auto found = position_.find(name);
      if (found == position_.end()) {
        throw InvalidArgument(Where(node), ": input: expected the name of a node or of the network's input, got '",
                              name, "'");
      }
      inputs.push_back(found->second);
    }
    kinds_.push_back(kind);
    inputs_.push_back(std::move(inputs));
  }
}

// Kahn's algorithm, always taking the earliest node in the file that is ready.
void GraphValidator::SortNodes() {
  const int count = proto_.node_size();
  Links consumers(count);
  std::vector<int> missing(count, 0);
  std::set<int> ready;
  for (int position = 0; position < count; ++position) {
    for (const int input : inputs_[position]) {
      if (input == kNetworkInput) continue;
      consumers[input].push_back(position);
      ++missing[position];
    }
    if (missing[position] == 0) ready.insert(position);
  }
  index_.assign(count, 0);
  std::vector<bool> placed(count, false);
  while (!ready.empty()) {
    const int position = *ready.begin();
    ready.erase(ready.begin());
    placed[position] = true;
    index_[position] = static_cast<int>(order_.size());
    order_.push_back(position);
    for (const int consumer : consumers[position]) {
      if (--missing[consumer] == 0) ready.insert(consumer);
    }
  }
  if (static_cast<int>(order_.size()) < count) {
    throw InvalidArgument(Where(), ": node: expected no cycle, got ", DescribeCycle(placed));
  }
}

// Every node that could not be placed has an input that could not: walking back along these must come round.
std::string GraphValidator::DescribeCycle(const std::vector<bool>& placed) const {
  std::vector<int> path;
  int position = static_cast<int>(std::find(placed.begin(), placed.end(), false) - placed.begin());
  auto seen = path.end();
  while ((seen = std::find(path.begin(), path.end(), position)) == path.end()) {
    path.push_back(position);
    for (const int input : inputs_[position]) {
      if (input == kNetworkInput || placed[input]) continue;
      position = input;
      break;
    }
  }
  std::string text = proto_.node(position).name();
  for (auto step = path.end(); step != seen;) text += " -> " + proto_.node(*--step).name();
  return text;
}

int GraphValidator::OutputPosition() const {
  if (!proto_.has_output()) return proto_.node_size() - 1;
  const auto found = position_.find(proto_.output());
  if (found == position_.end() || found->second == kNetworkInput) {
    throw InvalidArgument(Where(), ": output: expected the name of a node, got '", proto_.output(), "'");
  }
  return found->second;
}

Node GraphValidator::MakeNode(const Graph& graph, int position) const {
  const NodeProto& proto = proto_.node(position);
  const LayerTraits& traits = kinds_[position]->traits();
  const std::string where = Where(proto);
  Node node{index_[position], proto.name(), kinds_[position], {}, proto.attributes(), {}, {}, {}};
  LayerInputs inputs{where, proto.attributes(), {}};
  for (const int input : inputs_[position]) {
    node.inputs.push_back(input == kNetworkInput ? kNetworkInput : index_[input]);
    inputs.shapes.push_back(graph.shape(node.inputs.back()));
  }
  CheckAttributeNames(where, proto.attributes(), traits.accepted_attributes, traits.required_attributes);
  node.spec = node.kind->CheckAndInfer(inputs);
  if (proto.has_weight()) {
    if (!traits.has_weight)
      throw InvalidArgument(where, ": weight: expected none for kind ", proto.kind(), ", got one");
    CheckPrecision(where + ": weight", proto.weight(), Role::kWeight);
    node.weight = proto.weight();
  }
  if (proto.has_output()) {
    if (traits.keeps_channels && !traits.is_nonlinearity && !traits.is_normalization) {
      throw InvalidArgument(where, ": output: expected none for kind ", proto.kind(), ", got one");
    }
    CheckPrecision(where + ": output", proto.output(), Role::kActivation);
    node.output = proto.output();
  }
  return node;
}

void GraphValidator::CheckNorms(const Graph& graph) const {
  for (const Node& node : graph.nodes()) {
    if (!node.kind->traits().is_normalization) continue;
    const std::string where = Where() + ": node '" + node.name + "': input: ";
    const int input = node.inputs[0];
    if (input == kNetworkInput || !graph.node(input).kind->traits().has_weight) {
      std::string got = "the network's input";
      if (input != kNetworkInput) got = "'" + graph.node(input).name + "' of kind " + graph.node(input).kind->name();
      throw InvalidArgument(where, "expected a conv2d or linear, got ", got);
    }
    const Node& layer = graph.node(input);
    if (graph.consumers(input).size() > 1 || graph.output() == input) {
      throw InvalidArgument(where, "expected a layer whose output nothing else takes, got '", layer.name, "'");
    }
    if (layer.attributes.bias()) {
      throw InvalidArgument(where, "expected a layer with attributes { bias: false } (the shift beta is one), got '",
                            layer.name, "'");
    }
  }
}

void GraphValidator::CheckAllUsed(const Graph& graph) const {
  std::vector<bool> used(graph.nodes().size(), false);
  used[graph.output()] = true;
  for (int index = static_cast<int>(used.size()) - 1; index >= 0; --index) {
    if (!used[index]) continue;
    for (const int input : graph.node(index).inputs) {
      if (input != kNetworkInput) used[input] = true;
    }
  }
  for (const Node& node : graph.nodes()) {
    if (used[node.index]) continue;
    throw InvalidArgument(Where(), ": node '", node.name, "': expected a way to the output '",
                          graph.node(graph.output()).name, "', got none");
  }
}

}  // namespace bitgate
