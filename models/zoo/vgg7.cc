#include "models/zoo/vgg7.h"

#include <string>

#include "models/zoo/cifar.h"

namespace bitgate::zoo {

Graph Vgg7(const Vgg7Options& options) {
  GraphBuilder b("vgg7");
  std::string x = CifarInput(&b);
  for (int conv = 1; conv <= 6; ++conv) {
    const std::string number = std::to_string(conv);
    const int64_t channels = options.channels[static_cast<size_t>((conv - 1) / 2)];
    x = b.Node("conv" + number, "conv2d", {x},
               {{"channels", channels}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
    x = b.Node("bn" + number, "batch_norm", {x});
    x = b.Node("relu" + number, "relu", {x});
    if (conv % 2 == 0) x = b.Node("pool" + std::to_string(conv / 2), "max_pool", {x}, {{"kernel", 2}});
  }
  x = b.Node("flatten", "flatten", {x});
  x = b.Node("fc1", "linear", {x}, {{"channels", options.fc1_features}, {"bias", false}});
  x = b.Node("bn7", "batch_norm", {x});
  x = b.Node("relu7", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", options.classes}});
  return b.Build();
}

}  // namespace bitgate::zoo
