// Residual networks for 32x32 colour images with 6n + 2 layers (He et al., "Deep Residual Learning for Image
// Recognition", arXiv 1512.03385, section 4.2): ResNet-20, 32, 44, 56 and 110.
#ifndef BITGATE_MODELS_ZOO_CIFAR_RESNET_H_
#define BITGATE_MODELS_ZOO_CIFAR_RESNET_H_

#include <array>
#include <cstdint>
#include <string>

#include "models/graph/graph.h"

namespace bitgate::zoo {

// What carries a block's input past it where the block halves the image and widens.
enum class Shortcut {
  kConvolution,  // 1x1, stride 2, with batch norm (option B)
  kIdentity,     // every second pixel, channels of zeros: no parameters (option A)
};

struct CifarResNetOptions {
  int64_t blocks = 3;  // n, of each of the three stages
  std::array<int64_t, 3> channels = {16, 32, 64};
  Shortcut shortcut = Shortcut::kConvolution;
  int64_t classes = 10;
};

// Nodes conv1 bn1 relu1, layer<stage>.<block>.{conv1 bn1 relu1 conv2 bn2 downsample.0 downsample.1 add relu2}, pool
// flatten fc: parameters have the names of the usual PyTorch code. Without parameters the shortcut is subsample pad
// instead of downsample.0 downsample.1. Called "resnet20", or "resnet20_identity".
Graph CifarResNet(const CifarResNetOptions& options = {});

}  // namespace bitgate::zoo

#endif  // BITGATE_MODELS_ZOO_CIFAR_RESNET_H_
