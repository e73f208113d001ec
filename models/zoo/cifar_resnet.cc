#include "models/zoo/cifar_resnet.h"

#include "models/zoo/cifar.h"

namespace bitgate::zoo {
namespace {

std::string Convolution(GraphBuilder* b, const std::string& name, const std::string& x, int64_t channels,
                        int64_t kernel, int64_t stride) {
  return b->Node(
      name, "conv2d", {x},
      {{"channels", channels}, {"kernel", kernel}, {"stride", stride}, {"padding", kernel / 2}, {"bias", false}});
}

std::string Narrowing(GraphBuilder* b, const std::string& block, const std::string& x, int64_t channels,
                      Shortcut shortcut) {
  if (shortcut == Shortcut::kConvolution) {
    return b->Node(block + "downsample.1", "batch_norm", {Convolution(b, block + "downsample.0", x, channels, 1, 2)});
  }
  const std::string pixels = b->Node(block + "subsample", "max_pool", {x}, {{"kernel", 1}, {"stride", 2}});
  return b->Node(block + "pad", "pad_channels", {pixels}, {{"channels", channels}});
}

std::string Block(GraphBuilder* b, const std::string& block, const std::string& x, int64_t channels, bool narrows,
                  Shortcut shortcut) {
  std::string y = Convolution(b, block + "conv1", x, channels, 3, narrows ? 2 : 1);
  y = b->Node(block + "bn1", "batch_norm", {y});
  y = b->Node(block + "relu1", "relu", {y});
  y = Convolution(b, block + "conv2", y, channels, 3, 1);
  y = b->Node(block + "bn2", "batch_norm", {y});
  const std::string past = narrows ? Narrowing(b, block, x, channels, shortcut) : x;
  y = b->Node(block + "add", "add", {y, past});
  return b->Node(block + "relu2", "relu", {y});
}

}  // namespace

Graph CifarResNet(const CifarResNetOptions& options) {
  const bool identity = options.shortcut == Shortcut::kIdentity;
  GraphBuilder b("resnet" + std::to_string(6 * options.blocks + 2) + (identity ? "_identity" : ""));
  std::string x = Convolution(&b, "conv1", CifarInput(&b), options.channels[0], 3, 1);
  x = b.Node("bn1", "batch_norm", {x});
  x = b.Node("relu1", "relu", {x});
  for (size_t stage = 0; stage < options.channels.size(); ++stage) {
    for (int64_t block = 0; block < options.blocks; ++block) {
      const std::string name = "layer" + std::to_string(stage + 1) + "." + std::to_string(block) + ".";
      x = Block(&b, name, x, options.channels[stage], stage > 0 && block == 0, options.shortcut);
    }
  }
  x = b.Node("pool", "average_pool", {x}, {{"kernel", 8}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", options.classes}});
  return b.Build();
}

}  // namespace bitgate::zoo
