// VGG-7 for 32x32 colour images: 2x128C3-MP2-2x256C3-MP2-2x512C3-MP2-1024FC-10, padding 1, batch norm and ReLU after
// all but the last layer (as in Bayesian Bits, van Baalen et al., arXiv 2005.07093, section 4.1).
#ifndef BITGATE_MODELS_ZOO_VGG7_H_
#define BITGATE_MODELS_ZOO_VGG7_H_

#include <array>
#include <cstdint>

#include "models/graph/graph.h"

namespace bitgate::zoo {

struct Vgg7Options {
  std::array<int64_t, 3> channels = {128, 256, 512};  // of each pair of convolutions
  int64_t fc1_features = 1024;
  int64_t classes = 10;
};

// Nodes conv1 bn1 relu1 conv2 bn2 relu2 pool1 ... conv6 bn6 relu6 pool3 flatten fc1 bn7 relu7 fc2.
Graph Vgg7(const Vgg7Options& options = {});

}  // namespace bitgate::zoo

#endif  // BITGATE_MODELS_ZOO_VGG7_H_
