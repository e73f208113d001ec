#include "models/graph/fold.h"

#include <map>
#include <string>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

void TakeOver(const Graph& graph, const Node& norm, NodeProto* layer) {
  layer->mutable_attributes()->clear_bias();  // by default there is one
  if (!norm.output) return;
  if (layer->has_output()) {
    throw InvalidArgument("graph '", graph.name(), "': node '", norm.name,
                          "': output: expected a precision here or at '", layer->name(), "', got both");
  }
  *layer->mutable_output() = *norm.output;
}

}  // namespace

Graph FoldBatchNorms(const Graph& graph) {
  std::map<std::string, std::string> layer_of;  // by batch norm
  for (const Node& node : graph.nodes()) {
    if (node.kind->traits().is_normalization) layer_of[node.name] = graph.node(node.inputs[0]).name;
  }
  std::map<std::string, const NodeProto*> given;
  for (const NodeProto& node : graph.proto().node()) given[node.name()] = &node;
  GraphProto proto = graph.proto();
  proto.clear_node();
  // In the order of the graph, not of the file: it stays one in which inputs come first, and reading keeps such an
  // order.
  for (const Node& node : graph.nodes()) {
    if (node.kind->traits().is_normalization) continue;
    NodeProto& folded = *proto.add_node() = *given.at(node.name);
    for (std::string& input : *folded.mutable_input()) {
      const auto norm = layer_of.find(input);
      if (norm != layer_of.end()) input = norm->second;
    }
    const int norm = graph.NormBehind(node.index);
    if (norm != kNoNode) TakeOver(graph, graph.node(norm), &folded);
  }
  const auto norm = layer_of.find(proto.output());
  if (norm != layer_of.end()) proto.set_output(norm->second);
  return Graph::FromProto(proto);
}

}  // namespace bitgate
