// Builds a graph node by node:
//
//   GraphBuilder b("tiny");
//   std::string x = b.Input({28, 28, 1}, Scaled(1.0 / 255));
//   x = b.Node("conv1", "conv2d", {x}, {{"channels", 8}, {"kernel", 5}});
//   x = b.Node("relu1", "relu", {x});
//   Graph graph = b.Build();
#ifndef BITGATE_MODELS_GRAPH_BUILDER_H_
#define BITGATE_MODELS_GRAPH_BUILDER_H_

#include <string>
#include <vector>

#include "models/graph/attributes.h"
#include "models/graph/graph.h"

namespace bitgate {

// x * scale.
Preprocessing Scaled(double scale);
// (x * scale - mean) / std, one mean and std per channel.
Preprocessing Normalized(double scale, const std::vector<double>& mean, const std::vector<double>& std);

class GraphBuilder {
 public:
  explicit GraphBuilder(const std::string& name);

  // Both return the name, to be handed to the nodes that follow.
  std::string Input(const Dims& shape, const Preprocessing& preprocessing = {}, const std::string& name = "input");
  // Throws InvalidArgument for attributes that do not exist or do not fit their type; the rest is checked by Build.
  std::string Node(const std::string& name, const std::string& kind, const std::vector<std::string>& inputs,
                   const AttributeValues& attributes = {});

  // Precision of the weight or the output of the node that was added last.
  TensorPrecision& weight();
  TensorPrecision& output();

  // For what the builder has no words for (defaults, an output that is not the last node).
  GraphProto& proto() { return proto_; }

  // Throws InvalidArgument if the graph is not valid.
  Graph Build() const { return Graph::FromProto(proto_); }

 private:
  NodeProto& last();

  GraphProto proto_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_BUILDER_H_
