#include "models/quantized/cost.h"

#include <gtest/gtest.h>

#include <string>

#include "models/graph/builder.h"
#include "models/graph/fold.h"
#include "models/graph/site.h"
#include "models/graph/test_graphs.h"
#include "models/zoo/lenet5.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

SiteStates Uniform(const Graph& graph, int bits) { return UniformStates(QuantizationSites(graph), bits); }

std::string MessageOf(const Graph& graph, const SiteStates& states) {
  try {
    ComputeCost(graph, states);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(Cost, FloatLeNet5) {
  const Graph graph = zoo::LeNet5();
  const NetworkCost cost = ComputeCost(graph, Uniform(graph, 32));
  ASSERT_EQ(cost.layers.size(), 4u);
  EXPECT_EQ(cost.macs, 4267008);
  EXPECT_EQ(cost.float_bops, 4369416192.0);
  // All as float but the network's input, which counts 8 bits.
  EXPECT_EQ(cost.bops, 4369416192.0 - 460800.0 * 32 * 24);
  EXPECT_EQ(cost.bytes, 4 * (800 + 32 + 51200 + 64 + 524288 + 512 + 5120 + 10));
  EXPECT_EQ(cost.float_bytes, cost.bytes);
}

TEST(Cost, MixedAndPrunedLeNet5) {
  const Graph graph = zoo::LeNet5();
  const SiteStates states = {{"conv1/weight", {4, 16}}, {"conv1/output", {8, 0}}, {"conv2/weight", {2, 32}},
                             {"conv2/output", {4, 0}},  {"fc1/weight", {8, 128}}, {"fc1/output", {16, 0}},
                             {"fc2/weight", {32, 10}}};
  const NetworkCost cost = ComputeCost(graph, states);
  EXPECT_EQ(cost.layers[0].bops, 460800.0 * 4 * 8 / 2);
  EXPECT_EQ(cost.layers[1].bops, 3276800.0 * 2 * 8 / 2 / 2);
  EXPECT_EQ(cost.layers[2].bops, 524288.0 * 8 * 4 / 4 / 2);
  EXPECT_EQ(cost.layers[3].bops, 5120.0 * 32 * 16 / 4);
  EXPECT_EQ(cost.bops, 23232512);
  EXPECT_DOUBLE_EQ(cost.relative_bops(), 23232512.0 / 4369416192.0);
  EXPECT_EQ(cost.layers[0].bytes, 16 * 25 * 4 / 8 + 16 * 4);
  EXPECT_EQ(cost.layers[1].bytes, 32 * 25 * 16 * 2 / 8 + 32 * 4);
  EXPECT_EQ(cost.layers[2].bytes, 128 * 512 + 128 * 4);
  EXPECT_EQ(cost.layers[3].bytes, 10 * 128 * 4 + 10 * 4);
  EXPECT_EQ(cost.bytes, 74800);
  EXPECT_EQ(cost.layers[2].input_channels, 64);
  EXPECT_EQ(cost.layers[2].kept_input_channels, 32);
  EXPECT_EQ(cost.layers[2].input_bits, 4);
}

TEST(Cost, ALayerThatIsGoneCostsNothingAndSilencesItsConsumer) {
  const Graph graph = zoo::LeNet5();
  for (const SiteState gone : {SiteState{0, 64}, SiteState{4, 0}}) {
    SiteStates states = Uniform(graph, 8);
    states["conv2/weight"] = gone;
    const NetworkCost cost = ComputeCost(graph, states);
    EXPECT_EQ(cost.layers[1].bops, 0);
    EXPECT_EQ(cost.layers[1].bytes, 0);
    EXPECT_EQ(cost.layers[1].kept_channels, 0);
    EXPECT_EQ(cost.layers[2].bops, 0);
    EXPECT_EQ(cost.layers[2].bytes, 4 * 512);
    EXPECT_EQ(cost.layers[3].bops, 5120.0 * 8 * 8);
  }
}

TEST(Cost, AcrossASumAllChannelsCount) {
  const Graph graph = ResidualGraph().Build();
  SiteStates states = Uniform(graph, 4);
  states["conv1/weight"].kept_channels = 3;
  states["conv2/weight"].kept_channels = 1;
  states["conv3/weight"].kept_channels = 2;
  states["conv1/output"].bits = 8;
  states["conv2/output"].bits = 2;
  states["sum/output"].bits = 16;
  const NetworkCost cost = ComputeCost(graph, states);
  EXPECT_EQ(cost.layers[0].bops, 6912.0 * 4 * 8 * 3 / 4);
  EXPECT_EQ(cost.layers[1].bops, 9216.0 * 4 * 8 * 1 / 4 * 3 / 4);
  EXPECT_EQ(cost.layers[2].bops, 9216.0 * 4 * 2 * 2 / 4 * 1 / 4);
  EXPECT_EQ(cost.layers[3].bops, 8.0 * 4 * 16);
  EXPECT_EQ(cost.layers[3].kept_input_channels, 4);
}

TEST(Cost, ABatchNormCountsAsTheBiasItFoldsInto) {
  const Graph graph = BatchNormGraph().Build();
  SiteStates states = Uniform(graph, 4);
  states["conv2/weight"].kept_channels = 1;
  states["fc1/weight"].kept_channels = 5;
  const NetworkCost cost = ComputeCost(graph, states);
  ASSERT_EQ(cost.layers.size(), 5u);
  EXPECT_EQ(cost.layers[0].bytes, 4 * 27 * 4 / 8 + 4 * 4);
  EXPECT_EQ(cost.layers[1].bytes, 36 * 4 / 8 + 4);
  EXPECT_EQ(cost.layers[3].bytes, 5 * 4 * 4 / 8 + 5 * 4);
  EXPECT_EQ(cost.layers[4].bytes, 2 * 5 * 4 / 8 + 2 * 4);
  EXPECT_EQ(cost.float_bytes, 4 * (108 + 4 + 144 + 4 + 144 + 4 + 24 + 6 + 12 + 2));
  const NetworkCost folded = ComputeCost(FoldBatchNorms(graph), states);
  EXPECT_EQ(folded.bytes, cost.bytes);
  EXPECT_EQ(folded.float_bytes, cost.float_bytes);
  EXPECT_EQ(folded.bops, cost.bops);
  EXPECT_EQ(folded.weight_bits, cost.weight_bits);
}

// Inside the block kept channels pass batch norm and relu; across the sum, and behind it, all count.
TEST(Cost, KeptChannelsPassBatchNorms) {
  const Graph graph = BatchNormGraph().Build();
  SiteStates states = Uniform(graph, 4);
  states["conv1/weight"].kept_channels = 3;
  states["conv2/weight"].kept_channels = 1;
  states["conv3/weight"].kept_channels = 2;
  states["fc1/weight"].kept_channels = 4;
  states["conv2/output"].bits = 2;
  const NetworkCost cost = ComputeCost(graph, states);
  EXPECT_EQ(cost.layers[0].bops, 6912.0 * 4 * 8 * 3 / 4);
  EXPECT_EQ(cost.layers[1].bops, 9216.0 * 4 * 4 * 1 / 4 * 3 / 4);
  EXPECT_EQ(cost.layers[2].bops, 9216.0 * 4 * 2 * 2 / 4 * 1 / 4);
  EXPECT_EQ(cost.layers[3].kept_input_channels, 4);
  EXPECT_EQ(cost.layers[3].bops, 24.0 * 4 * 4 * 4 / 6);
  EXPECT_EQ(cost.layers[4].bops, 12.0 * 4 * 4 * 4 / 6);
}

TEST(Cost, PaddedChannelsCountAsKept) {
  GraphBuilder b("padded");
  std::string x = b.Node("fc1", "linear", {b.Input({4})}, {{"channels", 4}});
  x = b.Node("pad", "pad_channels", {x}, {{"channels", 6}});
  b.Node("fc2", "linear", {x}, {{"channels", 2}});
  const Graph graph = b.Build();
  SiteStates states = Uniform(graph, 8);
  states["fc1/weight"].kept_channels = 1;
  const NetworkCost cost = ComputeCost(graph, states);
  EXPECT_EQ(cost.layers[1].input_channels, 6);
  EXPECT_EQ(cost.layers[1].kept_input_channels, 6);
  EXPECT_EQ(cost.layers[1].bops, 12.0 * 8 * 8);
}

TEST(Cost, WeightCompressionCountsAllWeightsThatHaveASite) {
  GraphBuilder b("compression");
  std::string x = b.Node("fc1", "linear", {b.Input({4})}, {{"channels", 4}});
  x = b.Node("fc2", "linear", {x}, {{"channels", 4}});
  b.weight().set_leave_float(true);
  b.Node("fc3", "linear", {x}, {{"channels", 2}});
  const Graph graph = b.Build();
  SiteStates states = Uniform(graph, 4);
  states["fc1/weight"].kept_channels = 1;
  states["fc3/weight"].bits = 2;
  const NetworkCost cost = ComputeCost(graph, states);
  EXPECT_EQ(cost.quantized_weights, 16 + 8);
  EXPECT_EQ(cost.weight_bits, 16 * 4 + 8 * 2);
  EXPECT_EQ(cost.weight_compression(), 32.0 * 24 / 80);
  EXPECT_EQ(ComputeCost(graph, Uniform(graph, 32)).weight_compression(), 1);
  EXPECT_EQ(ComputeCost(graph, Uniform(graph, 8)).weight_compression(), 4);
}

TEST(Cost, NoBitsCompressToNothing) {
  GraphBuilder b("gone");
  b.Node("fc", "linear", {b.Input({4})}, {{"channels", 4}});
  const NetworkCost gone = ComputeCost(b.Build(), {{"fc/weight", {0, 0}}});
  EXPECT_EQ(gone.quantized_weights, 16);
  EXPECT_EQ(gone.weight_compression(), 0);
  b.weight().set_leave_float(true);
  EXPECT_EQ(ComputeCost(b.Build(), {}).weight_compression(), 0);
}

TEST(Cost, TensorsLeftInFloatCount32Bits) {
  GraphBuilder b("float");
  std::string x = b.Node("fc1", "linear", {b.Input({4})}, {{"channels", 4}, {"bias", false}});
  b.output().set_leave_float(true);
  b.Node("fc2", "linear", {x}, {{"channels", 3}, {"bias", false}});
  b.weight().set_leave_float(true);
  const Graph graph = b.Build();
  const NetworkCost cost = ComputeCost(graph, {{"fc1/weight", {2, 3}}});
  EXPECT_EQ(cost.layers[0].bops, 16.0 * 2 * 8 * 3 / 4);
  EXPECT_EQ(cost.layers[1].bops, 12.0 * 32 * 32 * 3 / 4);
  EXPECT_EQ(cost.layers[0].bytes, 3);
  EXPECT_EQ(cost.layers[1].bytes, 9 * 4);
}

TEST(Cost, BytesRoundUp) {
  GraphBuilder b("odd");
  b.Node("fc", "linear", {b.Input({3})}, {{"channels", 3}, {"bias", false}});
  EXPECT_EQ(ComputeCost(b.Build(), {{"fc/weight", {2, 3}}}).bytes, 3);  // 18 bits
}

TEST(Cost, RejectsStatesThatDoNotFit) {
  GraphBuilder b("g");
  std::string x = b.Node("fc1", "linear", {b.Input({4})}, {{"channels", 4}});
  b.Node("fc2", "linear", {x}, {{"channels", 3}});
  const Graph graph = b.Build();
  const SiteStates good = Uniform(graph, 8);
  EXPECT_EQ(MessageOf(graph, good), "no error");
  SiteStates states = good;
  states.erase("fc1/output");
  EXPECT_EQ(MessageOf(graph, states), "cost of graph 'g': site 'fc1/output': expected a state, got none");
  states = good;
  states["fc3/weight"] = {};
  EXPECT_EQ(MessageOf(graph, states), "cost of graph 'g': expected states of its sites only, got one of 'fc3/weight'");
  states = good;
  states["fc1/weight"].bits = 33;
  EXPECT_EQ(MessageOf(graph, states), "cost of graph 'g': site 'fc1/weight': bits: expected 0 to 32, got 33");
  states = good;
  states["fc1/output"].bits = 0;
  EXPECT_EQ(MessageOf(graph, states), "cost of graph 'g': site 'fc1/output': bits: expected 1 to 32, got 0");
  states = good;
  states["fc1/weight"].kept_channels = 5;
  EXPECT_EQ(MessageOf(graph, states), "cost of graph 'g': site 'fc1/weight': kept_channels: expected 0 to 4, got 5");
}

}  // namespace
}  // namespace bitgate
