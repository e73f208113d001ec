#include "models/zoo/zoo.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/graph/site.h"
#include "models/zoo/cifar_resnet.h"
#include "models/zoo/lenet5.h"
#include "models/zoo/vgg7.h"
#include "runtime/base/error.h"

namespace bitgate::zoo {
namespace {

TEST(LeNet5, HasThePublishedSizes) {
  const Graph graph = LeNet5();
  EXPECT_EQ(graph.input_shape(), (Dims{28, 28, 1}));
  EXPECT_EQ(graph.preprocessing().scale(), 1.0 / 255);
  EXPECT_EQ(graph.node("conv1").spec.shape, (Dims{24, 24, 32}));
  EXPECT_EQ(graph.node("pool1").spec.shape, (Dims{12, 12, 32}));
  EXPECT_EQ(graph.node("conv2").spec.shape, (Dims{8, 8, 64}));
  EXPECT_EQ(graph.node("flatten").spec.shape, (Dims{1024}));
  EXPECT_EQ(graph.node("conv1").spec.macs, 460800);
  EXPECT_EQ(graph.node("conv2").spec.macs, 3276800);
  EXPECT_EQ(graph.node("fc1").spec.macs, 524288);
  EXPECT_EQ(graph.node("fc2").spec.macs, 5120);
  EXPECT_EQ(MaxMacs(graph), 3276800);
  EXPECT_EQ(graph.node("conv2").spec.parameters[0].shape, (Dims{64, 5, 5, 32}));
  EXPECT_EQ(graph.node("conv2").spec.parameters[0].fan_in, 800);
}

TEST(LeNet5, TakesOtherWidths) {
  const Graph graph = LeNet5({8, 16, 32, 10});
  EXPECT_EQ(graph.node("conv1").spec.macs, 115200);
  EXPECT_EQ(graph.node("conv2").spec.macs, 204800);
  EXPECT_EQ(graph.node("fc1").spec.macs, 8192);
  EXPECT_EQ(graph.node("fc2").spec.macs, 320);
}

int64_t LearnedParameters(const Graph& graph) {
  int64_t count = 0;
  for (const Node& node : graph.nodes()) {
    for (const ParameterSpec& parameter : node.spec.parameters) {
      if (parameter.learned) count += ElementCount(node.name, parameter.shape);
    }
  }
  return count;
}

double Macs(const Graph& graph) {
  double macs = 0;
  for (const Node& node : graph.nodes()) macs += static_cast<double>(node.spec.macs);
  return macs;
}

std::vector<std::string> NodeNames(const Graph& graph, size_t first, size_t count) {
  std::vector<std::string> names;
  for (size_t i = first; i < first + count; ++i) names.push_back(graph.nodes().at(i).name);
  return names;
}

void ExpectCifarInput(const Graph& graph) {
  EXPECT_EQ(graph.input_shape(), (Dims{32, 32, 3}));
  EXPECT_EQ(graph.preprocessing().scale(), 1.0 / 255);
  EXPECT_EQ(graph.preprocessing().mean(1), 0.4822);
  EXPECT_EQ(graph.preprocessing().std(2), 0.2010);
}

TEST(Vgg7, HasThePublishedSizes) {
  const Graph graph = Vgg7();
  ExpectCifarInput(graph);
  EXPECT_EQ(NodeNames(graph, 0, 7),
            (std::vector<std::string>{"conv1", "bn1", "relu1", "conv2", "bn2", "relu2", "pool1"}));
  EXPECT_EQ(NodeNames(graph, 18, 8),
            (std::vector<std::string>{"bn6", "relu6", "pool3", "flatten", "fc1", "bn7", "relu7", "fc2"}));
  EXPECT_EQ(graph.nodes().size(), 26u);
  EXPECT_EQ(graph.node("conv1").spec.macs, 3538944);
  for (const char* name : {"conv2", "conv4", "conv6"}) EXPECT_EQ(graph.node(name).spec.macs, 150994944) << name;
  for (const char* name : {"conv3", "conv5"}) EXPECT_EQ(graph.node(name).spec.macs, 75497472) << name;
  EXPECT_EQ(graph.node("flatten").spec.shape, (Dims{8192}));
  EXPECT_EQ(graph.node("fc1").spec.macs, 8388608);
  EXPECT_EQ(Macs(graph), 615917568);
  const int64_t weights = 3456 + 147456 + 294912 + 589824 + 1179648 + 2359296 + 8388608 + 10240;
  const int64_t norms = 2 * (2 * (128 + 256 + 512) + 1024);
  EXPECT_EQ(LearnedParameters(graph), weights + norms + 10);
  EXPECT_EQ(graph.node("fc1").spec.parameters.size(), 1u);
}

TEST(Vgg7, TakesOtherWidths) {
  const Graph graph = Vgg7({{4, 8, 16}, 32, 5});
  EXPECT_EQ(graph.node("conv3").spec.parameters[0].shape, (Dims{8, 3, 3, 4}));
  EXPECT_EQ(graph.node("fc1").spec.parameters[0].shape, (Dims{32, 256}));
  EXPECT_EQ(graph.node("fc2").spec.shape, (Dims{5}));
}

TEST(CifarResNet, HasThePublishedSizes) {
  const Graph graph = Build("resnet20_identity");
  ExpectCifarInput(graph);
  EXPECT_EQ(LearnedParameters(graph), 269722);
  // The first convolution, six of each stage (the first of the wider stages has half the inputs), the linear layer.
  EXPECT_EQ(Macs(graph), 442368 + 6 * 2359296 + 2 * (1179648 + 5 * 2359296) + 640);
  EXPECT_EQ(Macs(graph), 40551040);
  EXPECT_EQ(LearnedParameters(Build("resnet32_identity")), 464154);
  EXPECT_EQ(LearnedParameters(Build("resnet44_identity")), 658586);
  EXPECT_EQ(LearnedParameters(Build("resnet56_identity")), 853018);
  EXPECT_EQ(LearnedParameters(Build("resnet110_identity")), 1727962);
}

TEST(CifarResNet, ConvolutionsAsShortcutsHaveParameters) {
  const Graph graph = CifarResNet();
  const int64_t shortcuts = 32 * 16 + 2 * 32 + 64 * 32 + 2 * 64;
  EXPECT_EQ(LearnedParameters(graph), 269722 + shortcuts);
  EXPECT_EQ(LearnedParameters(graph), 272474);
  EXPECT_EQ(Macs(graph), 40551040 + 2 * 131072);
  EXPECT_EQ(LearnedParameters(Build("resnet110")), 1727962 + shortcuts);
}

TEST(CifarResNet, HasTheNamesOfPyTorch) {
  const Graph graph = CifarResNet();
  EXPECT_EQ(NodeNames(graph, 0, 10),
            (std::vector<std::string>{"conv1", "bn1", "relu1", "layer1.0.conv1", "layer1.0.bn1", "layer1.0.relu1",
                                      "layer1.0.conv2", "layer1.0.bn2", "layer1.0.add", "layer1.0.relu2"}));
  EXPECT_EQ(
      NodeNames(graph, 24, 9),
      (std::vector<std::string>{"layer2.0.conv1", "layer2.0.bn1", "layer2.0.relu1", "layer2.0.conv2", "layer2.0.bn2",
                                "layer2.0.downsample.0", "layer2.0.downsample.1", "layer2.0.add", "layer2.0.relu2"}));
  EXPECT_EQ(NodeNames(graph, graph.nodes().size() - 3, 3), (std::vector<std::string>{"pool", "flatten", "fc"}));
  EXPECT_EQ(graph.node("layer2.0.downsample.0").spec.parameters[0].shape, (Dims{32, 1, 1, 16}));
  EXPECT_EQ(graph.node("layer3.2.add").spec.shape, (Dims{8, 8, 64}));
  EXPECT_EQ(graph.node("pool").spec.shape, (Dims{1, 1, 64}));
  const Graph identity = Build("resnet20_identity");
  EXPECT_EQ(identity.node("layer2.0.subsample").spec.shape, (Dims{16, 16, 16}));
  EXPECT_EQ(identity.node("layer2.0.pad").spec.shape, (Dims{16, 16, 32}));
}

// Every weight, and every tensor that a layer multiplies: after the first relu, in each block between its convolutions
// and behind it. The branches of the sums are not quantized.
TEST(CifarResNet, IsQuantizedAtTheSums) {
  for (const Shortcut shortcut : {Shortcut::kConvolution, Shortcut::kIdentity}) {
    CifarResNetOptions options;
    options.blocks = 2;
    options.channels = {4, 8, 16};
    options.shortcut = shortcut;
    const Graph graph = CifarResNet(options);
    int weights = 0;
    std::vector<std::string> outputs;
    for (const Site& site : QuantizationSites(graph)) {
      weights += site.role == Role::kWeight ? 1 : 0;
      if (site.role == Role::kActivation) outputs.push_back(graph.node(site.node).name);
    }
    EXPECT_EQ(weights, shortcut == Shortcut::kConvolution ? 16 : 14);
    std::vector<std::string> expected = {"relu1"};
    for (const char* block : {"layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1"}) {
      expected.push_back(std::string(block) + ".relu1");
      expected.push_back(std::string(block) + ".relu2");
    }
    EXPECT_EQ(outputs, expected);
  }
}

TEST(Zoo, BuildsEveryNameAndReadsItBack) {
  ASSERT_FALSE(Names().empty());
  for (const std::string& name : Names()) {
    const Graph graph = Build(name);
    EXPECT_EQ(graph.name(), name);
    EXPECT_EQ(Graph::FromText(graph.ToText(), name).ToText(), graph.ToText());
    EXPECT_FALSE(QuantizationSites(graph).empty());
  }
}

TEST(Zoo, UnknownNameListsTheNames) {
  try {
    Build("lenet6");
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
    EXPECT_STREQ(
        error.what(),
        "zoo: expected one of lenet5, resnet110, resnet110_identity, resnet20, resnet20_identity, "
        "resnet32, resnet32_identity, resnet44, resnet44_identity, resnet56, resnet56_identity, vgg7, got 'lenet6'");
  }
}

}  // namespace
}  // namespace bitgate::zoo
