// Turns a GraphProto into a Graph, or says what is wrong with it. Private to this folder: use Graph::FromProto.
#ifndef BITGATE_MODELS_GRAPH_GRAPH_VALIDATOR_H_
#define BITGATE_MODELS_GRAPH_GRAPH_VALIDATOR_H_

#include <map>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace bitgate {

class GraphValidator {
 public:
  explicit GraphValidator(const GraphProto& proto) : proto_(proto) {}

  // Throws InvalidArgument as models/graph/graph.h says.
  Graph Build();

 private:
  // Positions in the file; kNetworkInput for the network's input.
  using Links = std::vector<std::vector<int>>;

  std::string Where() const { return "graph '" + proto_.name() + "'"; }
  std::string Where(const NodeProto& node) const { return Where() + ": node '" + node.name() + "'"; }

  void CheckInput(Graph* graph) const;
  void IndexNames();
  void ResolveKindsAndInputs();
  void SortNodes();
  std::string DescribeCycle(const std::vector<bool>& placed) const;
  int OutputPosition() const;
  Node MakeNode(const Graph& graph, int position) const;
  void CheckNorms(const Graph& graph) const;
  void CheckAllUsed(const Graph& graph) const;

  const GraphProto& proto_;
  std::map<std::string, int> position_;  // name -> position
  std::vector<const LayerKind*> kinds_;  // by position
  Links inputs_;                         // by position
  std::vector<int> order_;               // index -> position
  std::vector<int> index_;               // position -> index
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_GRAPH_VALIDATOR_H_
