#include "models/zoo/zoo.h"

#include <map>

#include "models/graph/attributes.h"
#include "models/zoo/cifar_resnet.h"
#include "models/zoo/lenet5.h"
#include "models/zoo/vgg7.h"
#include "runtime/base/error.h"

namespace bitgate::zoo {
namespace {

using Networks = std::map<std::string, Graph (*)()>;

// With 6 kBlocks + 2 layers.
template <int kBlocks, Shortcut kShortcut>
Graph ResNet() {
  CifarResNetOptions options;
  options.blocks = kBlocks;
  options.shortcut = kShortcut;
  return CifarResNet(options);
}

const Networks& All() {
  static const auto* const networks = new Networks{
      {"lenet5", [] { return LeNet5(); }},
      {"vgg7", [] { return Vgg7(); }},
      {"resnet20", ResNet<3, Shortcut::kConvolution>},
      {"resnet32", ResNet<5, Shortcut::kConvolution>},
      {"resnet44", ResNet<7, Shortcut::kConvolution>},
      {"resnet56", ResNet<9, Shortcut::kConvolution>},
      {"resnet110", ResNet<18, Shortcut::kConvolution>},
      {"resnet20_identity", ResNet<3, Shortcut::kIdentity>},
      {"resnet32_identity", ResNet<5, Shortcut::kIdentity>},
      {"resnet44_identity", ResNet<7, Shortcut::kIdentity>},
      {"resnet56_identity", ResNet<9, Shortcut::kIdentity>},
      {"resnet110_identity", ResNet<18, Shortcut::kIdentity>},
  };
  return *networks;
}

}  // namespace

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const auto& [name, build] : All()) names.push_back(name);
  return names;
}

Graph Build(const std::string& name) {
  const auto found = All().find(name);
  if (found == All().end()) throw NotFound("zoo: expected one of ", NameList(Names()), ", got '", name, "'");
  return found->second();
}

}  // namespace bitgate::zoo
