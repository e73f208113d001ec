#include "models/graph/fold.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/graph/builder.h"
#include "models/graph/site.h"
#include "models/graph/test_graphs.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::vector<std::string> SiteNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Site& site : QuantizationSites(graph)) names.push_back(site.name);
  return names;
}

std::vector<std::string> NodeNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes()) names.push_back(node.name);
  return names;
}

TEST(FoldBatchNorms, TheLayersHaveBiasesInstead) {
  const Graph graph = BatchNormGraph().Build();
  const Graph folded = FoldBatchNorms(graph);
  EXPECT_EQ(NodeNames(folded), (std::vector<std::string>{"conv1", "relu1", "conv2", "relu2", "conv3", "sum", "relu_sum",
                                                         "pool", "flatten", "fc1", "relu4", "fc2"}));
  for (const char* name : {"conv1", "conv2", "conv3", "fc1"}) {
    ASSERT_EQ(folded.node(name).spec.parameters.size(), 2u) << name;
    EXPECT_EQ(folded.node(name).spec.parameters[1].suffix, "bias");
    EXPECT_EQ(folded.node(name).spec.macs, graph.node(name).spec.macs);
  }
  EXPECT_EQ(folded.node("sum").inputs, (std::vector<int>{folded.node("conv3").index, folded.node("relu1").index}));
  EXPECT_EQ(folded.name(), graph.name());
  EXPECT_EQ(Graph::FromText(folded.ToText(), "folded").ToText(), folded.ToText());
  EXPECT_EQ(FoldBatchNorms(folded).ToText(), folded.ToText());
}

TEST(FoldBatchNorms, AGraphWithoutThemStays) {
  const Graph graph = ResidualGraph().Build();
  EXPECT_EQ(FoldBatchNorms(graph).ToText(), graph.ToText());
}

void ExpectSameSites(const Graph& graph, const Graph& folded) {
  EXPECT_EQ(SiteNames(folded), SiteNames(graph));
  const std::vector<Site> sites = QuantizationSites(graph), folded_sites = QuantizationSites(folded);
  ASSERT_EQ(folded_sites.size(), sites.size());
  for (size_t i = 0; i < sites.size(); ++i) {
    EXPECT_EQ(folded_sites[i].shape, sites[i].shape);
    EXPECT_EQ(folded_sites[i].nonnegative, sites[i].nonnegative);
    EXPECT_EQ(folded_sites[i].prunable, sites[i].prunable);
    EXPECT_EQ(folded_sites[i].macs, sites[i].macs);
    EXPECT_EQ(folded_sites[i].allowed_bits, sites[i].allowed_bits);
  }
}

TEST(FoldBatchNorms, SitesStayInTheirOrder) {
  const Graph graph = BatchNormGraph().Build();
  ExpectSameSites(graph, FoldBatchNorms(graph));
}

// The batch norm comes late in the file and holds back what reads it; without it that would come sooner.
TEST(FoldBatchNorms, SitesStayInTheirOrderWhateverThatOfTheFile) {
  const Graph graph = Graph::FromText(R"(
      name: "late" input { shape: 4 }
      node { name: "left" kind: "linear" input: "input" attributes { channels: 4 bias: false } }
      node { name: "behind" kind: "linear" input: "bn" attributes { channels: 4 } }
      node { name: "right" kind: "linear" input: "input" attributes { channels: 4 } }
      node { name: "sum" kind: "add" input: "behind" input: "right" }
      node { name: "last" kind: "linear" input: "sum" attributes { channels: 4 } }
      node { name: "bn" kind: "batch_norm" input: "left" }
      output: "last")",
                                      "file");
  EXPECT_EQ(NodeNames(graph), (std::vector<std::string>{"left", "right", "bn", "behind", "sum", "last"}));
  const Graph folded = FoldBatchNorms(graph);
  EXPECT_EQ(NodeNames(folded), (std::vector<std::string>{"left", "right", "behind", "sum", "last"}));
  ExpectSameSites(graph, folded);
}

// fc1 fc2 bn; says how the output of `precise` is quantized.
GraphBuilder EndsWithBatchNorm(const std::vector<std::string>& precise) {
  GraphBuilder b("ends");
  std::string x = b.Input({4});
  const auto add = [&](const std::string& name, const std::string& kind, const AttributeValues& attributes) {
    x = b.Node(name, kind, {x}, attributes);
    for (const std::string& node : precise) {
      if (node == name) b.output().add_allowed_bits(4);
    }
  };
  add("fc1", "linear", {{"channels", 3}, {"bias", false}});
  add("bn1", "batch_norm", {});
  add("fc2", "linear", {{"channels", 2}, {"bias", false}});
  add("bn2", "batch_norm", {});
  return b;
}

TEST(FoldBatchNorms, TheOutputMayBeABatchNorm) {
  GraphBuilder b = EndsWithBatchNorm({});
  EXPECT_EQ(FoldBatchNorms(b.Build()).output(), 1);
  b.proto().set_output("bn2");
  const Graph folded = FoldBatchNorms(b.Build());
  EXPECT_EQ(folded.node(folded.output()).name, "fc2");
}

TEST(FoldBatchNorms, PrecisionsMoveToTheLayer) {
  const Graph folded = FoldBatchNorms(EndsWithBatchNorm({"bn1"}).Build());
  ASSERT_TRUE(folded.node("fc1").output.has_value());
  EXPECT_EQ(folded.node("fc1").output->allowed_bits(0), 4);
  const Graph both = EndsWithBatchNorm({"fc1", "bn1"}).Build();
  try {
    FoldBatchNorms(both);
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_STREQ(error.what(), "graph 'ends': node 'bn1': output: expected a precision here or at 'fc1', got both");
  }
}

}  // namespace
}  // namespace bitgate
