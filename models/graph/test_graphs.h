// Small graphs for the tests of this and other rooms.
#ifndef BITGATE_MODELS_GRAPH_TEST_GRAPHS_H_
#define BITGATE_MODELS_GRAPH_TEST_GRAPHS_H_

#include <string>

#include "models/graph/builder.h"

namespace bitgate {

// One residual block: conv1 relu1 | conv2 relu2 conv3, sum = conv3 + relu1 | relu_sum pool (global average) flatten fc.
inline GraphBuilder ResidualGraph() {
  const AttributeValues conv = {{"channels", 4}, {"kernel", 3}, {"padding", 1}};
  GraphBuilder b("residual");
  std::string x = b.Input({8, 8, 3});
  x = b.Node("conv1", "conv2d", {x}, conv);
  const std::string skip = b.Node("relu1", "relu", {x});
  x = b.Node("conv2", "conv2d", {skip}, conv);
  x = b.Node("relu2", "relu", {x});
  x = b.Node("conv3", "conv2d", {x}, conv);
  x = b.Node("sum", "add", {x, skip});
  x = b.Node("relu_sum", "relu", {x});
  x = b.Node("pool", "average_pool", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 2}});
  return b;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_TEST_GRAPHS_H_
