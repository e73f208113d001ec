// A network as data: a validated directed acyclic graph of layers, with shapes, costs and parameters inferred.
//
// A valid graph has a name and 1 to 10000 nodes; names are unique, of letters, digits, '_', '-' and '.'; every node is
// of a known kind, has the inputs and attributes that its kind wants, fitting shapes, and lies on the way from the
// network's input to its output; a batch norm is right behind a conv2d or linear without bias whose output nothing else
// takes; precisions are subsets of 0, 2, 4, 8, 16, 32. Anything else is InvalidArgument with one message:
//   graph 'tiny': node 'conv1': attribute kernel: expected at most the padded input [3, 3], got [5, 5]
#ifndef BITGATE_MODELS_GRAPH_GRAPH_H_
#define BITGATE_MODELS_GRAPH_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/dims.h"
#include "models/graph/graph.pb.h"
#include "models/graph/layer_kind.h"

namespace bitgate {

// Where a node index is expected: the network's input.
inline constexpr int kNetworkInput = -1;
// Where a node index is expected: there is none.
inline constexpr int kNoNode = -2;

struct Node {
  int index;  // position in Graph::nodes()
  std::string name;
  const LayerKind* kind;    // never null; lives as long as the program
  std::vector<int> inputs;  // indices of nodes, smaller than this node's, or kNetworkInput
  Attributes attributes;
  std::optional<TensorPrecision> weight, output;  // as written at the node; absent: the graph's default
  LayerSpec spec;                                 // output shape, MACs, parameters, window
};

// Immutable.
class Graph {
 public:
  static Graph FromProto(const GraphProto& proto);
  // Protobuf text format. Syntax errors are InvalidArgument "<where>:<line>:<column>: ..."; `where` is usually a file
  // name.
  static Graph FromText(const std::string& text, const std::string& where);
  // Throws NotFound, Unavailable or, for more than 16 MiB, InvalidArgument besides what FromText throws.
  static Graph FromFile(const std::string& path);

  const std::string& name() const { return proto_.name(); }
  const std::string& input_name() const { return proto_.input().name(); }
  const Dims& input_shape() const { return input_shape_; }
  const Preprocessing& preprocessing() const { return proto_.input().preprocessing(); }

  // In an order in which every node comes after its inputs; a file that is in such an order keeps it.
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(int index) const { return nodes_.at(index); }
  // Throws NotFound if there is no such node.
  const Node& node(const std::string& name) const;
  // Index of the node that computes the network's output. No node consumes it.
  int output() const { return output_; }

  // Of a node, or of the network's input.
  const Dims& shape(int tensor) const { return tensor == kNetworkInput ? input_shape_ : node(tensor).spec.shape; }
  // Indices of the nodes that take this node's (or the network input's) output, each once, ascending.
  const std::vector<int>& consumers(int tensor) const { return consumers_.at(tensor + 1); }

  // The batch norm right behind a node, or kNoNode. Only a conv2d or linear has one, and it alone takes its output.
  int NormBehind(int layer) const;

  // Kinds with keeps_channels only hand on the channels of one tensor; a *layer* is a node of another kind (conv2d,
  // linear, add, pad_channels).
  bool IsLayer(int index) const { return !node(index).kind->traits().keeps_channels; }
  // The layer whose channels `tensor` carries: itself if it is one, else the nearest before, or kNetworkInput.
  int ProducingLayer(int tensor) const;
  // Layers that take `tensor`, directly or handed on by nodes that are not layers; each once, ascending.
  std::vector<int> ConsumingLayers(int tensor) const;

  const GraphProto& proto() const { return proto_; }
  // Text that FromText reads back to an equal graph.
  std::string ToText() const;

 private:
  Graph() = default;
  friend class GraphValidator;

  GraphProto proto_;
  Dims input_shape_;
  std::vector<Node> nodes_;
  std::vector<std::vector<int>> consumers_;  // [0]: of the network's input; [i + 1]: of node i
  int output_ = kNetworkInput;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_GRAPH_H_
