#include "models/deploy/deploy_kind.h"

#include <cstring>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/deploy/prune.h"
#include "models/deploy/test_networks.h"
#include "models/graph/layer_kind.h"
#include "models/graph/test_graphs.h"
#include "onnx/onnx.pb.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(DeployKind, EveryKindOfLayerCanBeDeployed) { EXPECT_EQ(DeployKindNames(), LayerKindNames()); }

TEST(DeployKind, UnknownKindIsNamed) {
  try {
    FindDeployKind("lstm");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("got 'lstm'"));
  }
}

// A layer that was not left out is a fault of the program, not of the network.
TEST(DeployKind, BatchNormsAreFoldedBefore) {
  const FrozenNetwork network = MakeTestNetwork(BatchNormGraph().Build(), {});
  const DeployNode node = MakeDeployNode(network, network.graph.node("bn1").index);
  onnx::GraphProto graph;
  OnnxGraph onnx(&graph, "input");
  const DeployKind& kind = FindDeployKind("batch_norm");
  for (const bool emit : {false, true}) {
    try {
      if (emit) kind.Emit(onnx, node, {{"conv1", {}}});
      if (!emit) kind.OutputConstants(node, {Constants(4)});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInternal);
      EXPECT_THAT(error.what(), HasSubstr("node 'bn1': expected batch norms to be folded before"));
    }
  }
}

// conv1 (3 channels) relu1 pad (to 6) conv2 flatten fc.
Graph PaddedGraph() {
  GraphBuilder b("padded");
  std::string x = b.Node("conv1", "conv2d", {b.Input({4, 4, 2})}, {{"channels", 3}, {"kernel", 3}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("pad", "pad_channels", {x}, {{"channels", 6}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 2}, {"kernel", 2}});
  b.Node("fc", "linear", {b.Node("flatten", "flatten", {x})}, {{"channels", 2}});
  return b.Build();
}

TEST(PadChannels, AddsConstantsAndNeedsAllChannels) {
  const FrozenNetwork network = MakeTestNetwork(PaddedGraph(), {});
  const DeployNode node = MakeDeployNode(network, network.graph.node("pad").index);
  const DeployKind& kind = FindDeployKind("pad_channels");
  EXPECT_THAT(kind.OutputConstants(node, {{std::nullopt, 0.5f, std::nullopt}}),
              ElementsAre(0.0f, std::nullopt, 0.5f, std::nullopt, 0.0f, 0.0f));
  const Channels needed = {true, false, false, false, false, false};
  EXPECT_EQ(kind.NeededInputs(node, {Constants(3)}, needed), std::vector<Channels>{Channels(3, true)});
  EXPECT_EQ(kind.KeptOutput(node, {Channels(3, true)}, needed), Channels(6, true));
}

std::vector<int64_t> PadsOf(const onnx::GraphProto& graph) {
  const std::string& bytes = graph.initializer(0).raw_data();
  std::vector<int64_t> pads(bytes.size() / sizeof(int64_t));
  std::memcpy(pads.data(), bytes.data(), bytes.size());
  return pads;
}

TEST(PadChannels, IsPadOfTheSecondAxis) {
  const FrozenNetwork network = MakeTestNetwork(PaddedGraph(), {});
  onnx::GraphProto graph;
  OnnxGraph onnx(&graph, "input");
  const DeployNode node = MakeDeployNode(network, network.graph.node("pad").index);
  EXPECT_EQ(FindDeployKind("pad_channels").Emit(onnx, node, {{"relu1/output", {}}}).name, "pad/output");
  ASSERT_EQ(graph.node_size(), 1);
  EXPECT_EQ(graph.node(0).op_type(), "Pad");
  EXPECT_THAT(graph.node(0).input(), ElementsAre("relu1/output", "pad/pads"));
  EXPECT_EQ(graph.node(0).attribute_size(), 0);  // the mode is constant by default, the constant 0
  EXPECT_THAT(PadsOf(graph), ElementsAre(0, 1, 0, 0, 0, 2, 0, 0));

  GraphBuilder b("features");
  b.Node("fc", "linear", {b.Node("pad", "pad_channels", {b.Input({3})}, {{"channels", 5}})}, {{"channels", 2}});
  const FrozenNetwork features = MakeTestNetwork(b.Build(), {});
  onnx::GraphProto other;
  OnnxGraph other_onnx(&other, "input");
  FindDeployKind("pad_channels").Emit(other_onnx, MakeDeployNode(features, 0), {{"input", {}}});
  EXPECT_THAT(PadsOf(other), ElementsAre(0, 1, 0, 1));
}

TEST(PadChannels, KeepPrunedChannelsBeforeThem) {
  TestNetworkOptions options;
  options.pruned = 0.5;
  int checked = 0;
  for (uint32_t seed = 1; seed <= 10; ++seed) {
    options.seed = seed;
    const FrozenNetwork network = MakeTestNetwork(PaddedGraph(), options);
    const FrozenNetwork removed = RemovePrunedChannels(network, nullptr);
    if (removed.graph.nodes().size() < network.graph.nodes().size()) continue;  // all of conv2 was pruned
    ++checked;
    EXPECT_EQ(removed.graph.node("conv1").spec.shape, (Dims{2, 2, 3})) << seed;
    EXPECT_EQ(removed.graph.node("pad").spec.shape, (Dims{2, 2, 6})) << seed;
  }
  EXPECT_GT(checked, 0);
}

}  // namespace
}  // namespace bitgate
