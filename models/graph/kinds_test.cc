#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/graph/builder.h"
#include "models/graph/graph.h"
#include "models/graph/layer_kind.h"
#include "models/graph/test_graphs.h"

namespace bitgate {
namespace {

Graph OneNode(const Dims& input, const std::string& kind, const AttributeValues& attributes = {}) {
  GraphBuilder b("one");
  b.Node("n", kind, {b.Input(input)}, attributes);
  return b.Build();
}

LayerSpec SpecOf(const Dims& input, const std::string& kind, const AttributeValues& attributes = {}) {
  return OneNode(input, kind, attributes).node(0).spec;
}

TEST(LayerKinds, AreListedAndFound) {
  EXPECT_EQ(LayerKindNames(), (std::vector<std::string>{"add", "average_pool", "batch_norm", "conv2d", "flatten",
                                                        "linear", "max_pool", "pad_channels", "relu"}));
  for (const std::string& name : LayerKindNames()) {
    ASSERT_NE(FindLayerKind(name), nullptr) << name;
    EXPECT_EQ(FindLayerKind(name)->name(), name);
    // What Graph::ProducingLayer relies on.
    const LayerTraits& traits = FindLayerKind(name)->traits();
    EXPECT_TRUE(!traits.keeps_channels || traits.inputs == 1) << name;
  }
  EXPECT_EQ(FindLayerKind("softmax"), nullptr);
}

TEST(LayerKinds, Traits) {
  EXPECT_TRUE(FindLayerKind("conv2d")->traits().has_weight);
  EXPECT_TRUE(FindLayerKind("linear")->traits().has_weight);
  EXPECT_FALSE(FindLayerKind("add")->traits().has_weight);
  EXPECT_TRUE(FindLayerKind("relu")->traits().is_nonlinearity);
  EXPECT_TRUE(FindLayerKind("batch_norm")->traits().is_normalization);
  EXPECT_TRUE(FindLayerKind("batch_norm")->traits().keeps_channels);
  EXPECT_FALSE(FindLayerKind("pad_channels")->traits().keeps_channels);
}

TEST(Conv2d, Depthwise) {
  const LayerSpec spec =
      SpecOf({7, 9, 4}, "conv2d", {{"channels", 8}, {"kernel", 3}, {"padding", 1}, {"stride", 2}, {"groups", 4}});
  EXPECT_EQ(spec.shape, (Dims{4, 5, 8}));
  EXPECT_EQ(spec.parameters[0].shape, (Dims{8, 3, 3, 1}));
  EXPECT_EQ(spec.parameters[0].fan_in, 9);
  EXPECT_EQ(spec.macs, 4 * 5 * 8 * 9);
}

TEST(Conv2d, KernelMayFillThePaddedInput) {
  EXPECT_EQ(SpecOf({3, 3, 1}, "conv2d", {{"channels", 1}, {"kernel", 5}, {"padding", 1}}).shape, (Dims{1, 1, 1}));
}

TEST(Linear, HasOutByInWeights) {
  const LayerSpec spec = SpecOf({5}, "linear", {{"channels", 3}, {"bias", false}});
  ASSERT_EQ(spec.parameters.size(), 1u);
  EXPECT_EQ(spec.parameters[0].shape, (Dims{3, 5}));
  EXPECT_EQ(spec.parameters[0].fan_in, 5);
  EXPECT_EQ(spec.macs, 15);
}

TEST(Pools, DefaultStrideIsTheKernel) {
  const LayerSpec spec = SpecOf({7, 9, 4}, "max_pool", {{"kernel", {2, 3}}});
  EXPECT_EQ(spec.shape, (Dims{3, 3, 4}));
  EXPECT_EQ(spec.window.stride_height, 2);
  EXPECT_EQ(spec.window.stride_width, 3);
  EXPECT_EQ(spec.macs, 0);
  EXPECT_EQ(SpecOf({7, 7, 4}, "average_pool", {{"kernel", 3}, {"stride", 2}, {"padding", 1}}).shape, (Dims{4, 4, 4}));
}

TEST(Pools, AverageWithoutKernelIsGlobal) {
  const LayerSpec spec = SpecOf({7, 9, 4}, "average_pool");
  EXPECT_EQ(spec.shape, (Dims{1, 1, 4}));
  EXPECT_EQ(spec.window.kernel_height, 7);
  EXPECT_EQ(spec.window.kernel_width, 9);
}

TEST(Pools, MayTakeEverySecondPixel) {
  EXPECT_EQ(SpecOf({8, 7, 4}, "max_pool", {{"kernel", 1}, {"stride", 2}}).shape, (Dims{4, 4, 4}));
}

void ExpectParameter(const ParameterSpec& parameter, const std::string& suffix, float initial, bool learned) {
  EXPECT_EQ(parameter.suffix, suffix);
  EXPECT_EQ(parameter.shape, (Dims{4}));
  EXPECT_EQ(parameter.initial, initial);
  EXPECT_EQ(parameter.learned, learned) << suffix;
}

TEST(BatchNorm, HasFourValuesForEachChannel) {
  const Graph graph = BatchNormGraph().Build();
  const Node& node = graph.node("bn1");
  EXPECT_EQ(node.spec.shape, (Dims{8, 8, 4}));
  EXPECT_EQ(node.spec.macs, 0);
  EXPECT_EQ(node.attributes.epsilon(), 1e-5);
  EXPECT_EQ(node.attributes.momentum(), 0.1);
  ASSERT_EQ(node.spec.parameters.size(), 4u);
  ExpectParameter(node.spec.parameters[0], "gamma", 1, true);
  ExpectParameter(node.spec.parameters[1], "beta", 0, true);
  ExpectParameter(node.spec.parameters[2], "running_mean", 0, false);
  ExpectParameter(node.spec.parameters[3], "running_variance", 1, false);
  EXPECT_EQ(node.spec.parameters[3].low, 0);
  EXPECT_EQ(graph.node("bn4").spec.parameters[0].shape, (Dims{6}));  // behind a linear layer
  EXPECT_FALSE(graph.node("conv1").spec.parameters[0].initial.has_value());
  EXPECT_TRUE(graph.node("conv1").spec.parameters[0].learned);
}

TEST(PadChannels, Widens) {
  const LayerSpec spec = SpecOf({7, 9, 4}, "pad_channels", {{"channels", 9}});
  EXPECT_EQ(spec.shape, (Dims{7, 9, 9}));
  EXPECT_EQ(spec.macs, 0);
  EXPECT_TRUE(spec.parameters.empty());
  EXPECT_EQ(SpecOf({5}, "pad_channels", {{"channels", 5}}).shape, (Dims{5}));
}

TEST(Flatten, CountsFeatures) {
  EXPECT_EQ(SpecOf({2, 3, 4}, "flatten").shape, (Dims{24}));
  EXPECT_EQ(SpecOf({5}, "flatten").shape, (Dims{5}));
}

}  // namespace
}  // namespace bitgate
