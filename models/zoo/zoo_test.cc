#include "models/zoo/zoo.h"

#include <gtest/gtest.h>

#include <string>

#include "models/graph/site.h"
#include "models/zoo/lenet5.h"
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
    EXPECT_STREQ(error.what(), "zoo: expected one of lenet5, got 'lenet6'");
  }
}

}  // namespace
}  // namespace bitgate::zoo
