// LeNet-5 for 28x28 grey images: 32C5-MP2-64C5-MP2-512FC-10, valid convolutions, ReLU after all but the last layer.
#ifndef BITGATE_MODELS_ZOO_LENET5_H_
#define BITGATE_MODELS_ZOO_LENET5_H_

#include <cstdint>

#include "models/graph/graph.h"

namespace bitgate::zoo {

struct LeNet5Options {
  int64_t conv1_channels = 32;
  int64_t conv2_channels = 64;
  int64_t fc1_features = 512;
  int64_t classes = 10;
};

// Nodes conv1 relu1 pool1 conv2 relu2 pool2 flatten fc1 relu3 fc2; raw bytes are scaled by 1/255.
Graph LeNet5(const LeNet5Options& options = {});

}  // namespace bitgate::zoo

#endif  // BITGATE_MODELS_ZOO_LENET5_H_
