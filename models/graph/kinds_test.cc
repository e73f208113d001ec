#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/graph/builder.h"
#include "models/graph/graph.h"
#include "models/graph/layer_kind.h"

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
  EXPECT_EQ(LayerKindNames(),
            (std::vector<std::string>{"add", "average_pool", "conv2d", "flatten", "linear", "max_pool", "relu"}));
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

TEST(Flatten, CountsFeatures) {
  EXPECT_EQ(SpecOf({2, 3, 4}, "flatten").shape, (Dims{24}));
  EXPECT_EQ(SpecOf({5}, "flatten").shape, (Dims{5}));
}

}  // namespace
}  // namespace bitgate
