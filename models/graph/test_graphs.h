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

// The same with batch norms, and two linear layers behind: conv1 bn1 relu1 | conv2 bn2 relu2 conv3 bn3, sum = bn3 +
// relu1 | relu_sum pool flatten fc1 bn4 relu4 fc2.
inline GraphBuilder BatchNormGraph() {
  const AttributeValues conv = {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}};
  GraphBuilder b("batch_norms");
  std::string x = b.Input({8, 8, 3});
  x = b.Node("conv1", "conv2d", {x}, conv);
  x = b.Node("bn1", "batch_norm", {x});
  const std::string skip = b.Node("relu1", "relu", {x});
  x = b.Node("conv2", "conv2d", {skip}, conv);
  x = b.Node("bn2", "batch_norm", {x});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("conv3", "conv2d", {x}, conv);
  x = b.Node("bn3", "batch_norm", {x});
  x = b.Node("sum", "add", {x, skip});
  x = b.Node("relu_sum", "relu", {x});
  x = b.Node("pool", "average_pool", {x});
  x = b.Node("flatten", "flatten", {x});
  x = b.Node("fc1", "linear", {x}, {{"channels", 6}, {"bias", false}});
  x = b.Node("bn4", "batch_norm", {x});
  x = b.Node("relu4", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", 2}});
  return b;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_TEST_GRAPHS_H_
