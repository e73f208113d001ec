#include "models/graph/graph.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "models/graph/builder.h"
#include "models/graph/test_graphs.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// What a user writes: out of order, a named input, defaults, comments.
constexpr char kUserText[] = R"(
# a small network
name: "tiny.v-1_a"
input {
  name: "image"
  shape: [8, 6, 3]
  preprocessing { scale: 0.5 mean: [1, 2, 3] std: [0.1, 0.2, 0.3] }
}
node { name: "fc" kind: "linear" input: "flat" attributes { channels: 10 bias: false } }
node {
  name: "conv" kind: "conv2d" input: "image"
  attributes { channels: 6 kernel: [3, 5] stride: [2, 1] padding: [0, 2] groups: 3 }
  weight { allowed_bits: [4, 8] }
  output { leave_float: true }
}
node { name: "flat" kind: "flatten" input: "relu" }
node { name: "relu" kind: "relu" input: "conv" }
output: "fc"
default_output { allowed_bits: 8 }
)";

std::vector<std::string> NodeNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  return names;
}

TEST(Graph, ReadsAUsersText) {
  const Graph graph = Graph::FromText(kUserText, "tiny.txt");
  EXPECT_EQ(graph.name(), "tiny.v-1_a");
  EXPECT_EQ(graph.input_name(), "image");
  EXPECT_EQ(graph.input_shape(), (Dims{8, 6, 3}));
  EXPECT_EQ(graph.preprocessing().scale(), 0.5);
  EXPECT_EQ(graph.preprocessing().std(2), 0.3);
  EXPECT_EQ(NodeNames(graph), (std::vector<std::string>{"conv", "relu", "flat", "fc"}));
  EXPECT_EQ(graph.output(), 3);

  const Node& conv = graph.node("conv");
  EXPECT_EQ(conv.kind->name(), "conv2d");
  EXPECT_EQ(conv.inputs, (std::vector<int>{kNetworkInput}));
  EXPECT_EQ(conv.spec.shape, (Dims{3, 6, 6}));
  ASSERT_EQ(conv.spec.parameters.size(), 2u);
  EXPECT_EQ(conv.spec.parameters[0].suffix, "weight");
  EXPECT_EQ(conv.spec.parameters[0].shape, (Dims{6, 3, 5, 1}));
  EXPECT_EQ(conv.spec.parameters[0].fan_in, 15);
  EXPECT_EQ(conv.spec.parameters[1].suffix, "bias");
  EXPECT_EQ(conv.spec.parameters[1].shape, (Dims{6}));
  EXPECT_EQ(conv.spec.macs, 3 * 6 * 6 * 15);
  EXPECT_EQ(conv.weight->allowed_bits_size(), 2);
  EXPECT_TRUE(conv.output->leave_float());
  EXPECT_EQ(conv.spec.window.stride_height, 2);
  EXPECT_EQ(conv.spec.window.stride_width, 1);

  const Node& fc = graph.node("fc");
  EXPECT_EQ(fc.spec.macs, 1080);
  EXPECT_EQ(fc.spec.parameters.size(), 1u);
  EXPECT_FALSE(fc.weight.has_value());
}

TEST(Graph, TextRoundTrip) {
  const Graph graph = Graph::FromText(kUserText, "tiny.txt");
  const Graph again = Graph::FromText(graph.ToText(), "again");
  EXPECT_EQ(again.proto().SerializeAsString(), graph.proto().SerializeAsString());
  EXPECT_NE(graph.ToText().find("allowed_bits: [4, 8]"), std::string::npos);
}

TEST(Graph, ReadsAFile) {
  const std::string path = testing::TempDir() + "/graph_test_tiny.txt";
  std::ofstream(path) << kUserText;
  EXPECT_EQ(Graph::FromFile(path).name(), "tiny.v-1_a");
  std::remove(path.c_str());
  try {
    Graph::FromFile(path);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos);
  }
}

TEST(Graph, KnowsConsumersAndProducers) {
  const Graph graph = ResidualGraph().Build();
  const auto index = [&](const std::string& name) { return graph.node(name).index; };
  EXPECT_EQ(graph.consumers(kNetworkInput), (std::vector<int>{index("conv1")}));
  EXPECT_EQ(graph.consumers(index("relu1")), (std::vector<int>{index("conv2"), index("sum")}));
  EXPECT_TRUE(graph.consumers(graph.output()).empty());
  EXPECT_EQ(graph.ProducingLayer(index("flatten")), index("sum"));
  EXPECT_EQ(graph.ProducingLayer(index("conv2")), index("conv2"));
  EXPECT_EQ(graph.ProducingLayer(kNetworkInput), kNetworkInput);
  EXPECT_EQ(graph.ConsumingLayers(index("conv1")), (std::vector<int>{index("conv2"), index("sum")}));
  EXPECT_EQ(graph.ConsumingLayers(index("sum")), (std::vector<int>{index("fc")}));
  EXPECT_EQ(graph.ConsumingLayers(kNetworkInput), (std::vector<int>{index("conv1")}));
  EXPECT_THROW(graph.node("nothing"), Error);
}

TEST(Graph, KnowsBatchNorms) {
  const Graph graph = BatchNormGraph().Build();
  const auto index = [&](const std::string& name) { return graph.node(name).index; };
  EXPECT_EQ(graph.NormBehind(index("conv1")), index("bn1"));
  EXPECT_EQ(graph.NormBehind(index("fc1")), index("bn4"));
  for (const char* name : {"bn1", "relu1", "sum", "fc2"}) EXPECT_EQ(graph.NormBehind(index(name)), kNoNode) << name;
  EXPECT_EQ(graph.ProducingLayer(index("relu1")), index("conv1"));
  EXPECT_EQ(graph.ConsumingLayers(index("conv1")), (std::vector<int>{index("conv2"), index("sum")}));
  const Graph text = Graph::FromText(
      "name: 'g' input { shape: 4 } node { name: 'fc' kind: 'linear' input: 'input' attributes { channels: 2 bias: "
      "false } } node { name: 'bn' kind: 'batch_norm' input: 'fc' attributes { epsilon: 1e-3 momentum: 0 } }",
      "file");
  EXPECT_EQ(text.node("bn").attributes.epsilon(), 1e-3);
  EXPECT_EQ(text.node("bn").attributes.momentum(), 0);
  EXPECT_EQ(Graph::FromText(text.ToText(), "again").ToText(), text.ToText());
}

TEST(Graph, ANodeMayTakeATensorTwice) {
  GraphBuilder b("twice");
  const std::string x = b.Input({4});
  b.Node("double", "add", {x, x});
  const Graph graph = b.Build();
  EXPECT_EQ(graph.consumers(kNetworkInput), (std::vector<int>{0}));
  EXPECT_EQ(graph.node(0).spec.shape, (Dims{4}));
}

// Whatever the order in the file, inputs come first, and the inferred network is the same.
TEST(Graph, SortsAnyOrder) {
  const Graph straight = ResidualGraph().Build();
  GraphProto reversed = straight.proto();
  reversed.clear_node();
  for (int i = straight.proto().node_size() - 1; i >= 0; --i) *reversed.add_node() = straight.proto().node(i);
  EXPECT_THROW(Graph::FromProto(reversed), Error);  // now the last node is conv1, which is no output
  reversed.set_output("fc");
  const Graph graph = Graph::FromProto(reversed);
  std::set<int> seen = {kNetworkInput};
  for (const Node& node : graph.nodes()) {
    for (const int input : node.inputs) EXPECT_EQ(seen.count(input), 1u) << node.name;
    seen.insert(node.index);
    EXPECT_EQ(node.spec.shape, straight.node(node.name).spec.shape);
  }
}

TEST(GraphBuilder, PreprocessingHasOneValueForAllOrOneForEach) {
  for (const std::vector<int64_t>& shape : std::vector<std::vector<int64_t>>{{3}, {4, 4, 3}}) {
    for (const std::vector<double>& mean : std::vector<std::vector<double>>{{}, {5}, {5, 6, 7}}) {
      GraphBuilder b("g");
      std::string x = b.Input(shape, Normalized(1, mean, {2}));
      if (shape.size() > 1) x = b.Node("flatten", "flatten", {x});
      b.Node("fc", "linear", {x}, {{"channels", 2}});
      EXPECT_EQ(b.Build().preprocessing().mean_size(), static_cast<int>(mean.size()));
    }
  }
}

TEST(GraphBuilder, SetsPrecisionOfTheLastNode) {
  GraphBuilder b("precise");
  std::string x = b.Input({4}, Normalized(2, {1, 2, 3, 4}, {1, 1, 1, 1}));
  x = b.Node("fc1", "linear", {x}, {{"channels", 3}, {"bias", false}});
  b.weight().add_allowed_bits(8);
  b.output().set_leave_float(true);
  b.Node("fc2", "linear", {x}, {{"channels", 2}});
  const Graph graph = b.Build();
  EXPECT_EQ(graph.node("fc1").weight->allowed_bits(0), 8);
  EXPECT_TRUE(graph.node("fc1").output->leave_float());
  EXPECT_FALSE(graph.node("fc2").weight.has_value());
  EXPECT_EQ(graph.preprocessing().mean(3), 4);
  EXPECT_THROW(GraphBuilder("empty").weight(), Error);
}

}  // namespace
}  // namespace bitgate
