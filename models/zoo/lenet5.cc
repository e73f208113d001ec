#include "models/zoo/lenet5.h"

#include <string>

#include "models/graph/builder.h"

namespace bitgate::zoo {

Graph LeNet5(const LeNet5Options& options) {
  GraphBuilder b("lenet5");
  std::string x = b.Input({28, 28, 1}, Scaled(1.0 / 255));
  x = b.Node("conv1", "conv2d", {x}, {{"channels", options.conv1_channels}, {"kernel", 5}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("pool1", "max_pool", {x}, {{"kernel", 2}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", options.conv2_channels}, {"kernel", 5}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("pool2", "max_pool", {x}, {{"kernel", 2}});
  x = b.Node("flatten", "flatten", {x});
  x = b.Node("fc1", "linear", {x}, {{"channels", options.fc1_features}});
  x = b.Node("relu3", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", options.classes}});
  return b.Build();
}

}  // namespace bitgate::zoo
