#include "models/deploy/prune.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/deploy/apply_fixed.h"
#include "models/deploy/reference_output.h"
#include "models/deploy/test_networks.h"
#include "models/graph/test_graphs.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Warnings = std::vector<std::string>;

FrozenLayer FloatLayer(std::vector<int64_t> shape, std::vector<float> values, std::vector<float> bias,
                       std::vector<bool> keep = {}) {
  FrozenLayer layer;
  layer.shape = std::move(shape);
  layer.values = std::move(values);
  layer.bias = std::move(bias);
  layer.weight.keep = std::move(keep);
  return layer;
}

Fixed Integer(float scale, int32_t qmin, int32_t qmax) {
  Fixed fixed;
  fixed.encoding = Encoding::kInteger;
  fixed.bits = 4;
  fixed.is_signed = qmin < 0;
  fixed.scale = scale;
  fixed.qmin = qmin;
  fixed.qmax = qmax;
  return fixed;
}

const FrozenLayer& Layer(const FrozenNetwork& network, const std::string& name) {
  return network.layers.at(network.graph.node(name).index);
}

bool HasNode(const FrozenNetwork& network, const std::string& name) {
  for (const Node& node : network.graph.nodes()) {
    if (node.name == name) return true;
  }
  return false;
}

// fc1 (3, the second channel pruned with bias 0.7) relu1 quantized to steps of 0.5, fc2 (1).
FrozenNetwork TwoLinearLayers() {
  GraphBuilder b("two");
  std::string x = b.Input({2});
  x = b.Node("fc1", "linear", {x}, {{"channels", 3}});
  x = b.Node("relu1", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", 1}});
  FrozenNetwork network{b.Build(), {}, {}};
  network.layers[0] = FloatLayer({3, 2}, {1, 2, 0, 0, 3, 4}, {0.1f, 0.7f, 0.3f}, {true, false, true});
  network.layers[2] = FloatLayer({1, 3}, {10, 2, 30}, {0.25f});
  network.activations[1] = Integer(0.5f, 0, 15);
  return network;
}

TEST(ApplyFixed, RoundsHalfToEvenAndClamps) {
  const Fixed fixed = Integer(0.5f, -3, 3);
  EXPECT_EQ(ApplyFixed(fixed, 0.25f), 0.0f);
  EXPECT_EQ(ApplyFixed(fixed, 0.75f), 1.0f);
  EXPECT_EQ(ApplyFixed(fixed, -1.25f), -1.0f);
  EXPECT_EQ(ApplyFixed(fixed, 9), 1.5f);
  EXPECT_EQ(ApplyFixed(fixed, -9), -1.5f);
}

TEST(RemovePrunedChannels, MovesTheQuantizedConstantIntoTheBias) {
  Warnings warnings;
  const FrozenNetwork small = RemovePrunedChannels(TwoLinearLayers(), &warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_THAT(Layer(small, "fc1").shape, ElementsAre(2, 2));
  EXPECT_THAT(Layer(small, "fc1").values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(Layer(small, "fc1").bias, ElementsAre(0.1f, 0.3f));
  EXPECT_THAT(Layer(small, "fc1").weight.keep, ElementsAre(true, true));
  EXPECT_THAT(Layer(small, "fc2").values, ElementsAre(10, 30));
  EXPECT_THAT(Layer(small, "fc2").bias, ElementsAre(0.25f + 2 * 0.5f));  // 0.7 is 0.5 after the quantizer
  EXPECT_EQ(small.graph.node("fc1").attributes.channels(), 2);
  EXPECT_EQ(small.activations.at(1).scale, 0.5f);
}

TEST(RemovePrunedChannels, NegativeConstantsEndAtTheRelu) {
  FrozenNetwork network = TwoLinearLayers();
  network.layers[0].bias[1] = -0.7f;
  EXPECT_THAT(Layer(RemovePrunedChannels(network, nullptr), "fc2").bias, ElementsAre(0.25f));
}

TEST(RemovePrunedChannels, GivesALayerTheBiasThatItNeeds) {
  FrozenNetwork network = TwoLinearLayers();
  GraphProto proto = network.graph.proto();
  proto.mutable_node(2)->mutable_attributes()->set_bias(false);
  network.graph = Graph::FromProto(proto);
  network.layers[2].bias.clear();
  EXPECT_THAT(Layer(RemovePrunedChannels(network, nullptr), "fc2").bias, ElementsAre(1.0f));
  network.layers[0].bias[1] = 0;
  EXPECT_THAT(Layer(RemovePrunedChannels(network, nullptr), "fc2").bias, IsEmpty());
}

TEST(RemovePrunedChannels, CodesFollow) {
  FrozenNetwork network = TwoLinearLayers();
  network.layers[0].weight = Integer(1, -7, 7);
  network.layers[0].weight.keep = {true, false, true};
  network.layers[0].codes = {1, 2, 0, 0, 3, 4};
  EXPECT_THAT(Layer(RemovePrunedChannels(network, nullptr), "fc1").codes, ElementsAre(1, 2, 3, 4));
}

TEST(RemovePrunedChannels, ScalesFollow) {
  FrozenNetwork network = TwoLinearLayers();
  network.layers[0].weight = Integer(1, -7, 7);
  network.layers[0].weight.keep = {true, false, true};
  network.layers[0].codes = {1, 2, 0, 0, 3, 4};
  network.layers[0].scales = {0.5f, 1, 2};
  network.layers[0].values = {0.5f, 1, 0, 0, 6, 8};
  network.layers[2].weight = Integer(1, -100, 100);
  network.layers[2].codes = {10, 2, 30};
  network.layers[2].scales = {3};
  network.layers[2].values = {30, 6, 90};
  const FrozenNetwork small = RemovePrunedChannels(network, nullptr);
  EXPECT_THAT(Layer(small, "fc1").scales, ElementsAre(0.5f, 2));
  EXPECT_THAT(Layer(small, "fc1").values, ElementsAre(0.5f, 1, 6, 8));
  EXPECT_THAT(Layer(small, "fc2").scales, ElementsAre(3));
  EXPECT_THAT(Layer(small, "fc2").bias, ElementsAre(0.25f + 6 * 0.5f));  // the constant meets scaled weights
}

// conv1 (2 channels, the first pruned with bias 0.5) average_pool conv2 (1 channel, 2 x 2) flatten fc (1).
FrozenNetwork PooledConvolutions(int64_t padding) {
  GraphBuilder b("pooled");
  std::string x = b.Input({4, 4, 1});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 2}, {"kernel", 1}});
  x = b.Node("pool", "average_pool", {x}, {{"kernel", 3}, {"stride", 1}, {"padding", 1}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 1}, {"kernel", 2}, {"padding", padding}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 1}});
  FrozenNetwork network{b.Build(), {}, {}};
  const auto features = network.graph.shape(3)[0];
  network.layers[0] = FloatLayer({2, 1, 1, 1}, {0, 3}, {0.5f, 1}, {false, true});
  network.layers[2] = FloatLayer({1, 2, 2, 2}, {1, 10, 2, 20, 3, 30, 4, 40}, {0.25f});
  network.layers[4] = FloatLayer({1, features}, std::vector<float>(features, 1.0f), {0});
  return network;
}

TEST(RemovePrunedChannels, SumsTheWindowBehindAPool) {
  const FrozenNetwork small = RemovePrunedChannels(PooledConvolutions(0), nullptr);
  EXPECT_THAT(Layer(small, "conv2").shape, ElementsAre(1, 2, 2, 1));
  EXPECT_THAT(Layer(small, "conv2").values, ElementsAre(10, 20, 30, 40));
  EXPECT_THAT(Layer(small, "conv2").bias, ElementsAre(0.25f + 0.5f * (1 + 2 + 3 + 4)));
}

TEST(RemovePrunedChannels, NonzeroConstantStaysBeforePadding) {
  Warnings warnings;
  const FrozenNetwork same = RemovePrunedChannels(PooledConvolutions(1), &warnings);
  EXPECT_THAT(warnings,
              ElementsAre(testing::AllOf(HasSubstr("layer 'conv1'"), HasSubstr("stay"), HasSubstr("'conv2'"))));
  EXPECT_THAT(Layer(same, "conv1").values, ElementsAre(0, 3));
  EXPECT_THAT(Layer(same, "conv2").bias, ElementsAre(0.25f));
}

TEST(RemovePrunedChannels, ZeroConstantGoesBeforePadding) {
  FrozenNetwork network = PooledConvolutions(1);
  network.layers[0].bias[0] = 0;
  Warnings warnings;
  const FrozenNetwork small = RemovePrunedChannels(network, &warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_THAT(Layer(small, "conv1").values, ElementsAre(3));
  EXPECT_THAT(Layer(small, "conv2").values, ElementsAre(10, 20, 30, 40));
}

TEST(RemovePrunedChannels, ColumnsBehindFlattenFollow) {
  GraphBuilder b("flat");
  std::string x = b.Input({1, 2, 1});
  x = b.Node("conv", "conv2d", {x}, {{"channels", 3}, {"kernel", 1}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 1}});
  FrozenNetwork network{b.Build(), {}, {}};
  network.layers[0] = FloatLayer({3, 1, 1, 1}, {1, 0, 3}, {0, 2, 0}, {true, false, true});
  network.layers[2] = FloatLayer({1, 6}, {1, 2, 3, 4, 5, 6}, {0});
  const FrozenNetwork small = RemovePrunedChannels(network, nullptr);
  EXPECT_THAT(Layer(small, "fc").values, ElementsAre(1, 3, 4, 6));
  EXPECT_THAT(Layer(small, "fc").bias, ElementsAre(2 * (2 + 5)));
}

TEST(RemovePrunedChannels, WithoutPrunedChannelsNothingChanges) {
  const FrozenNetwork network = MakeTestNetwork(ResidualGraph().Build(), {});
  Warnings warnings;
  const FrozenNetwork same = RemovePrunedChannels(network, &warnings);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_EQ(same.graph.ToText(), network.graph.ToText());
  for (const auto& [index, layer] : network.layers) EXPECT_EQ(same.layers.at(index).codes, layer.codes);
}

TEST(RemovePrunedChannels, ChannelsOfASumStay) {
  FrozenNetwork network = MakeTestNetwork(ResidualGraph().Build(), {});
  FrozenLayer& conv3 = network.layers.at(network.graph.node("conv3").index);
  conv3.weight.keep[1] = false;
  const size_t row = conv3.values.size() / 4;
  std::fill_n(conv3.values.begin() + row, row, 0.0f);
  Warnings warnings;
  const FrozenNetwork same = RemovePrunedChannels(network, &warnings);
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("'sum'")));
  EXPECT_EQ(Layer(same, "conv3").shape[0], 4);
}

TEST(RemovePrunedChannels, WhollyPrunedBranchOfASumBecomesAConstant) {
  TestNetworkOptions options;
  options.zero_layers = {"conv3"};
  Warnings warnings;
  const FrozenNetwork network = MakeTestNetwork(ResidualGraph().Build(), options);
  const FrozenNetwork small = RemovePrunedChannels(network, &warnings);
  EXPECT_FALSE(HasNode(small, "conv2"));  // nobody reads it
  EXPECT_FALSE(HasNode(small, "relu2"));
  EXPECT_EQ(Layer(small, "conv3").weight.encoding, Encoding::kZero);
  EXPECT_EQ(Layer(small, "conv3").bias, Layer(network, "conv3").bias);
  EXPECT_EQ(warnings.size(), 2u);
}

TEST(RemovePrunedChannels, ConstantOutputIsTheBiasOfTheLastLayer) {
  TestNetworkOptions options;
  options.pruned_layers = {"conv2"};
  Warnings warnings;
  const FrozenNetwork network = MakeTestNetwork(SmallImageGraph(1).Build(), options);
  const FrozenNetwork small = RemovePrunedChannels(network, &warnings);
  EXPECT_EQ(Layer(small, "fc2").weight.encoding, Encoding::kZero);
  EXPECT_EQ(Layer(small, "conv2").shape[0], 1);
  EXPECT_FALSE(HasNode(small, "fc1"));
  const std::vector<float> expected = RunReference(network, std::vector<float>(64, 0.5f)).values;
  ASSERT_EQ(Layer(small, "fc2").bias.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(Layer(small, "fc2").bias[i], expected[i], 1e-6);
  const std::string all = testing::PrintToString(warnings);
  for (const char* name : {"'conv1'", "'conv2'", "'fc1'", "'fc2'", "the output is constant"}) {
    EXPECT_THAT(all, HasSubstr(name));
  }
}

TEST(RemovePrunedChannels, DepthwiseConvolutionLosesTheSameChannels) {
  GraphBuilder b("depthwise");
  std::string x = b.Input({3, 3, 1});
  x = b.Node("conv", "conv2d", {x}, {{"channels", 3}, {"kernel", 1}});
  x = b.Node("depthwise", "conv2d", {x}, {{"channels", 3}, {"kernel", 2}, {"groups", 3}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 2}});
  FrozenNetwork network = MakeTestNetwork(b.Build(), {});
  FrozenLayer& conv = network.layers.at(0);
  conv.weight.keep[1] = false;
  conv.values[1] = 0;
  conv.codes[1] = 0;
  const FrozenNetwork small = RemovePrunedChannels(network, nullptr);
  EXPECT_THAT(Layer(small, "depthwise").shape, ElementsAre(2, 2, 2, 1));
  EXPECT_EQ(small.graph.node("depthwise").attributes.groups(), 2);
  EXPECT_THAT(Layer(small, "fc").shape, ElementsAre(2, 8));
}

// Expects equal outputs for a random image, unless it brings an activation near a tie; returns whether it did not.
bool CompareOnAnImage(const FrozenNetwork& network, const FrozenNetwork& small, size_t pixels, uint32_t seed) {
  TestRandom random(seed);
  std::vector<float> image(pixels);
  for (float& value : image) value = random.Uniform(0, 1);
  const ReferenceOutput expected = RunReference(network, image), got = RunReference(small, image);
  if (std::min(expected.tie_distance, got.tie_distance) < 1e-4) return false;
  EXPECT_EQ(expected.values.size(), got.values.size()) << seed;
  for (size_t i = 0; i < std::min(got.values.size(), expected.values.size()); ++i) {
    EXPECT_NEAR(got.values[i], expected.values[i], 1e-5) << seed;
  }
  return true;
}

TEST(RemovePrunedChannels, NetworksWithFoldedBatchNormsComputeTheSame) {
  const Graph graph = NormalizedResidualGraph().Build();
  int compared = 0, smaller = 0;
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    TestNetworkOptions options;
    options.seed = seed;
    options.sign_bit_apart = true;
    options.pruned = 0.4;
    options.zero_pruned_bias = true;
    const FrozenNetwork network = FoldNormsIntoWeights(MakeTestNetwork(graph, options), MakeTestNorms(graph, seed));
    const FrozenNetwork small = RemovePrunedChannels(network, nullptr);
    smaller += Layer(small, "fc").shape[0] < 9;
    compared += CompareOnAnImage(network, small, 6 * 6 * 2, seed);
  }
  EXPECT_GT(compared, 20);
  EXPECT_GT(smaller, 10);
}

// Every network computes what it did, and removing again changes nothing.
TEST(RemovePrunedChannels, RandomNetworksComputeTheSame) {
  int compared = 0;
  for (uint32_t seed = 1; seed <= 60; ++seed) {
    TestNetworkOptions options;
    options.seed = seed;
    options.pruned = 0.1 * (seed % 8);
    options.zero_pruned_bias = seed % 3 == 0;
    const Graph graph = seed % 2 == 0 ? ResidualGraph().Build() : SmallImageGraph(3).Build();
    const FrozenNetwork network = MakeTestNetwork(graph, options);
    const FrozenNetwork small = RemovePrunedChannels(network, nullptr);
    EXPECT_EQ(RemovePrunedChannels(small, nullptr).graph.ToText(), small.graph.ToText()) << seed;
    compared += CompareOnAnImage(network, small, 8 * 8 * 3, seed);
  }
  EXPECT_GT(compared, 20);
}

void ExpectInvalid(const FrozenNetwork& network, const std::string& text) {
  try {
    RemovePrunedChannels(network, nullptr);
    FAIL() << "expected: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(RemovePrunedChannels, InconsistentNetworksAreRefused) {
  FrozenNetwork network = TwoLinearLayers();
  network.layers[0].values.pop_back();
  ExpectInvalid(network, "frozen network 'two': node 'fc1': weight values: expected 6 elements, got 5");
  network = TwoLinearLayers();
  network.layers[2].bias.clear();
  ExpectInvalid(network, "node 'fc2': bias: expected 1 elements, got 0");
  network = TwoLinearLayers();
  network.layers.erase(2);
  ExpectInvalid(network, "node 'fc2': weight: expected one for kind linear, got none");
  network = TwoLinearLayers();
  network.layers[0].weight.keep.pop_back();
  ExpectInvalid(network, "weight keep: expected 3 elements, got 2");
  network = TwoLinearLayers();
  network.layers[0].shape = {2, 3};
  ExpectInvalid(network, "weight: expected shape [3, 2], got [2, 3]");
  network = TwoLinearLayers();
  network.layers[0].weight = Integer(1, -7, 7);
  network.layers[0].codes = {1, 2, 0, 0, 3, 8};
  ExpectInvalid(network, "weight codes: expected -7 to 7, got 8");
  network.layers[0].codes[5] = 4;
  network.layers[0].scales = {1, 1};
  ExpectInvalid(network, "weight scales: expected 3 elements, got 2");
  network.layers[0].scales = {1, -1, 1};
  ExpectInvalid(network, "weight scales: expected positive numbers, got -1");
  network = TwoLinearLayers();
  network.layers[0].scales = {1, 1, 1};
  ExpectInvalid(network, "weight scales: expected 0 elements, got 3");
  network = TwoLinearLayers();
  network.activations[1].scale = 0;
  ExpectInvalid(network, "node 'relu1': output: scale: expected a positive number, got 0");
  network = TwoLinearLayers();
  network.layers[0].values[0] = std::nanf("");
  ExpectInvalid(network, "expected finite values");
}

}  // namespace
}  // namespace bitgate
