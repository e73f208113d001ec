// A frozen network's own forward pass, against the plain data that is read from it and the small network made of that.
#include "gtest/gtest.h"
#include "models/deploy/frozen_network.h"
#include "models/deploy/prune.h"
#include "models/deploy/reference_output.h"
#include "models/graph/builder.h"
#include "models/nn/network.h"
#include "models/zoo/lenet5.h"
#include "runtime/base/error.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr int kImages = 8;

Graph SmallLeNet() {
  zoo::LeNet5Options options;
  options.conv1_channels = 4;
  options.conv2_channels = 6;
  options.fc1_features = 8;
  return zoo::LeNet5(options);
}

Graph PaddedResidual() {
  GraphBuilder b("residual");
  std::string x = b.Input({6, 6, 2});
  x = b.Node("stem", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}});
  const std::string skip = b.Node("relu0", "relu", {x});
  x = b.Node("conv1", "conv2d", {skip}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}});
  x = b.Node("sum", "add", {x, skip});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("pool", "average_pool", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

Graph NormalizedResidual() {
  GraphBuilder b("normalized");
  std::string x = b.Input({6, 6, 2});
  x = b.Node("stem", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm0", "batch_norm", {x});
  const std::string skip = b.Node("relu0", "relu", {x});
  x = b.Node("conv1", "conv2d", {skip}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm1", "batch_norm", {x});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm2", "batch_norm", {x});
  x = b.Node("sum", "add", {x, skip});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("pool", "average_pool", {x}, {{"kernel", 3}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

QuantizerConfig Quantizer(const std::vector<int>& closed_bits) {
  QuantizerConfig config;
  config.set_method("bayesian_bits");
  for (const int bits : closed_bits) config.add_initially_closed_bits(bits);
  return config;
}

std::vector<float> RandomImages(int64_t size) {
  std::vector<float> values(static_cast<size_t>(kImages * size));
  for (size_t i = 0; i < values.size(); ++i) values[i] = Uniform({3, 98, 0}, i);
  return values;
}

// An image on which something comes near a tie is not compared: another order of summation may round the other way.
int CompareImages(const FrozenNetwork& frozen, const std::vector<float>& images, const std::vector<float>& logits,
                  double tie_distance = 1e-5) {
  const size_t size = images.size() / kImages, classes = logits.size() / kImages;
  int compared = 0;
  for (int i = 0; i < kImages; ++i) {
    const auto image = images.begin() + static_cast<int64_t>(i * size);
    const ReferenceOutput expected =
        RunReference(frozen, std::vector<float>(image, image + static_cast<int64_t>(size)));
    if (expected.tie_distance < tie_distance) continue;
    ++compared;
    for (size_t c = 0; c < classes; ++c) {
      EXPECT_NEAR(logits[static_cast<size_t>(i) * classes + c], expected.values[c], 1e-4) << "image " << i;
    }
  }
  return compared;
}

void ExpectSameFunction(const Graph& graph, const std::vector<int>& closed_bits, const std::string& pruned_layer) {
  testing::TestContext context;
  Network network(context, graph, Quantizer(closed_bits), 7);
  const Dims& shape = graph.input_shape();
  const std::vector<float> images = RandomImages(ElementCount("test", shape));
  const Tensor batch = FromHost(context, images, Shape({kImages, shape[0], shape[1], shape[2]}));
  network.Forward(batch, Mode::kTrain);  // ranges
  if (!pruned_layer.empty()) {
    const Tensor gates = network.StateTensors().at(pruned_layer + "/weight/channel_gates");
    std::vector<float> values = ToHost<float>(context, gates);
    for (size_t i = 0; i < values.size(); i += 2) values[i] = -6;  // closed: pruned
    CopyInto(context, gates, FromHost(context, values, gates.shape()));
  }
  network.Freeze();
  const std::vector<float> logits = ToHost<float>(context, network.Forward(batch, Mode::kEvaluate).logits);
  const FrozenNetwork frozen = ReadFrozenNetwork(network);
  EXPECT_GE(CompareImages(frozen, images, logits), kImages / 2);
  EXPECT_GE(CompareImages(RemovePrunedChannels(frozen, nullptr), images, logits), kImages / 2);
}

TEST(ReadFrozenNetwork, LeNetOfEveryWidthComputesTheSame) {
  for (const std::vector<int>& closed :
       std::vector<std::vector<int>>{{}, {32}, {16, 32}, {8, 16, 32}, {4, 8, 16, 32}}) {
    SCOPED_TRACE(closed.size());
    for (const char* pruned : {"", "conv1", "conv2", "fc1"}) ExpectSameFunction(SmallLeNet(), closed, pruned);
  }
}

TEST(ReadFrozenNetwork, ResidualNetworkWithSignedActivationsComputesTheSame) {
  for (const std::vector<int>& closed : std::vector<std::vector<int>>{{32}, {16, 32}, {8, 16, 32}}) {
    SCOPED_TRACE(closed.size());
    for (const char* pruned : {"", "stem", "conv1", "conv2"}) ExpectSameFunction(PaddedResidual(), closed, pruned);
  }
}

// Gains of either sign and one of 0, statistics of one batch.
void TrainOnce(Network& network, const Tensor& batch) {
  Context& context = network.context();
  for (const Node& node : network.graph().nodes()) {
    if (node.kind->name() != "batch_norm") continue;
    network.SetFloat(node.index, "gamma", FromHost<float>(context, {0.9f, -1.1f, 0, 1.3f}, {4}));
    network.SetFloat(node.index, "beta", FromHost<float>(context, {0.3f, 0.4f, 0.5f, -0.1f}, {4}));
  }
  network.Forward(batch, Mode::kTrain);
  network.method().BeginCalibration();
  network.Forward(batch, Mode::kCalibrate);
}

TEST(ReadFrozenNetwork, BatchNormsThatAreLeftAreFolded) {
  const std::vector<float> images = RandomImages(6 * 6 * 2);
  for (const char* method : {"bsq", "float", "bayesian_bits"}) {
    SCOPED_TRACE(method);
    testing::TestContext context;
    QuantizerConfig config;
    config.set_method(method);
    if (config.method() == "bayesian_bits") config = Quantizer({16, 32});
    Network network(context, NormalizedResidual(), config, 7);
    const Tensor batch = FromHost(context, images, {kImages, 6, 6, 2});
    TrainOnce(network, batch);
    network.Freeze();
    const std::vector<float> logits = ToHost<float>(context, network.Forward(batch, Mode::kEvaluate).logits);
    const FrozenNetwork frozen = ReadFrozenNetwork(network);
    for (const Node& node : frozen.graph.nodes()) EXPECT_NE(node.kind->name(), "batch_norm");
    const bool is_bsq = config.method() == "bsq";
    const FrozenLayer& conv1 = frozen.layers.at(frozen.graph.node("conv1").index);
    EXPECT_EQ(conv1.scales.size(), is_bsq ? 4u : 0u);
    EXPECT_EQ(conv1.bias.size(), 4u);
    if (is_bsq) {
      EXPECT_EQ(conv1.weight.qmax, 255);
    }
    // Folded norms round at other places than the forward pass: a little farther from ties.
    EXPECT_GE(CompareImages(frozen, images, logits, 1e-4), kImages / 2);
    EXPECT_GE(CompareImages(RemovePrunedChannels(frozen, nullptr), images, logits, 1e-4), kImages / 2);
  }
}

TEST(ReadFrozenNetwork, NetworkThatIsNotFrozenIsRefused) {
  testing::TestContext context;
  Network network(context, SmallLeNet(), Quantizer({}), 7);
  try {
    ReadFrozenNetwork(network);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace bitgate
