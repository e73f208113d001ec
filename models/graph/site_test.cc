#include "models/graph/site.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "models/graph/builder.h"
#include "models/graph/test_graphs.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::vector<std::string> SiteNames(const Graph& graph) {
  std::vector<std::string> names;
  for (const Site& site : QuantizationSites(graph)) names.push_back(site.name);
  return names;
}

Site FindSite(const Graph& graph, const std::string& name) {
  for (const Site& site : QuantizationSites(graph)) {
    if (site.name == name) return site;
  }
  throw NotFound("no site ", name);
}

std::string MessageOf(const Graph& graph) {
  try {
    QuantizationSites(graph);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

const AttributeValues kConv = {{"channels", 4}, {"kernel", 3}};

// conv1 relu1 pool conv2 relu2 flatten fc, with a hook after each node for its precision.
template <class Edit>
Graph Sequential(Edit edit) {
  GraphBuilder b("sequential");
  std::string x = b.Input({8, 8, 4});
  const auto add = [&](const std::string& name, const std::string& kind, const AttributeValues& attributes) {
    x = b.Node(name, kind, {x}, attributes);
    edit(name, b);
  };
  add("conv1", "conv2d", kConv);
  add("relu1", "relu", {});
  add("pool", "max_pool", {{"kernel", 2}});
  add("conv2", "conv2d", kConv);
  add("relu2", "relu", {});
  add("flatten", "flatten", {});
  add("fc", "linear", {{"channels", 3}});
  return b.Build();
}

void Nothing(const std::string&, GraphBuilder&) {}

TEST(QuantizationSites, OfASequence) {
  const Graph graph = Sequential(Nothing);
  EXPECT_EQ(SiteNames(graph),
            (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight", "conv2/output", "fc/weight"}));
  const Site weight = FindSite(graph, "conv2/weight");
  EXPECT_EQ(weight.role, Role::kWeight);
  EXPECT_EQ(weight.node, graph.node("conv2").index);
  EXPECT_EQ(weight.layer, weight.node);
  EXPECT_EQ(weight.shape, (Dims{4, 3, 3, 4}));
  EXPECT_EQ(weight.channels, 4);
  EXPECT_EQ(weight.macs, 144);
  EXPECT_TRUE(weight.prunable);
  EXPECT_FALSE(weight.nonnegative);
  EXPECT_EQ(weight.allowed_bits, (std::vector<int>{0, 2, 4, 8, 16, 32}));

  const Site output = FindSite(graph, "conv1/output");
  EXPECT_EQ(output.role, Role::kActivation);
  EXPECT_EQ(output.node, graph.node("relu1").index);
  EXPECT_EQ(output.layer, graph.node("conv1").index);
  EXPECT_EQ(output.shape, (Dims{6, 6, 4}));
  EXPECT_EQ(output.macs, 144);
  EXPECT_TRUE(output.nonnegative);
  EXPECT_FALSE(output.prunable);
  EXPECT_EQ(output.allowed_bits, (std::vector<int>{2, 4, 8, 16, 32}));
  EXPECT_EQ(MaxMacs(graph), 36 * 144);
}

TEST(QuantizationSites, LastLayerIsNotPruned) {
  const Site site = FindSite(Sequential(Nothing), "fc/weight");
  EXPECT_FALSE(site.prunable);
  EXPECT_EQ(site.allowed_bits.front(), 2);
}

TEST(QuantizationSites, LastLayerMayBeFollowedByNodesWithoutWeights) {
  GraphBuilder b("tail");
  std::string x = b.Node("conv1", "conv2d", {b.Input({8, 8, 4})}, kConv);
  x = b.Node("conv2", "conv2d", {x}, kConv);
  x = b.Node("relu", "relu", {x});
  b.Node("pool", "average_pool", {x});
  const Graph graph = b.Build();
  EXPECT_EQ(SiteNames(graph), (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight"}));
  EXPECT_FALSE(FindSite(graph, "conv2/weight").prunable);
  // No relu behind conv1: quantized as it is, with a sign.
  EXPECT_EQ(FindSite(graph, "conv1/output").node, graph.node("conv1").index);
  EXPECT_FALSE(FindSite(graph, "conv1/output").nonnegative);
}

TEST(QuantizationSites, OfAResidualBlock) {
  const Graph graph = ResidualGraph().Build();
  EXPECT_EQ(SiteNames(graph), (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight", "conv2/output",
                                                        "conv3/weight", "sum/output", "fc/weight"}));
  EXPECT_EQ(FindSite(graph, "conv1/output").macs, 9216);  // conv2; the sum multiplies nothing
  EXPECT_TRUE(FindSite(graph, "conv3/weight").prunable);
  const Site sum = FindSite(graph, "sum/output");
  EXPECT_EQ(sum.node, graph.node("relu_sum").index);
  EXPECT_EQ(sum.layer, graph.node("sum").index);
  EXPECT_EQ(sum.macs, 8);
}

TEST(QuantizationSites, LayersSummedIntoTheOutputAreLastLayers) {
  GraphBuilder b("sum");
  const std::string x = b.Node("first", "linear", {b.Input({4})}, {{"channels", 4}});
  b.Node("total", "add",
         {b.Node("left", "linear", {x}, {{"channels", 2}}), b.Node("right", "linear", {x}, {{"channels", 2}})});
  const Graph graph = b.Build();
  EXPECT_EQ(SiteNames(graph),
            (std::vector<std::string>{"first/weight", "first/output", "left/weight", "right/weight"}));
  EXPECT_TRUE(FindSite(graph, "first/weight").prunable);
  EXPECT_EQ(FindSite(graph, "first/output").macs, 16);
  EXPECT_FALSE(FindSite(graph, "left/weight").prunable);
  EXPECT_FALSE(FindSite(graph, "right/weight").prunable);
}

TEST(QuantizationSites, AReluThatIsNotAloneIsNotAbsorbed) {
  GraphBuilder b("fork");
  const std::string x = b.Node("fc1", "linear", {b.Input({4})}, {{"channels", 4}});
  const std::string relu = b.Node("relu", "relu", {x});
  b.Node("fc2", "linear", {b.Node("sum", "add", {x, relu})}, {{"channels", 2}});
  EXPECT_EQ(SiteNames(b.Build()), (std::vector<std::string>{"fc1/weight", "sum/output", "fc2/weight"}));
  GraphBuilder c("fork");
  const std::string y = c.Node("fc1", "linear", {c.Input({4})}, {{"channels", 4}});
  const std::string left = c.Node("left", "linear", {y}, {{"channels", 2}});
  const std::string right = c.Node("right", "linear", {c.Node("relu", "relu", {y})}, {{"channels", 2}});
  c.Node("sum", "add", {left, right});
  const Site site = FindSite(c.Build(), "fc1/output");
  EXPECT_EQ(site.node, site.layer);
  EXPECT_FALSE(site.nonnegative);
  EXPECT_EQ(site.macs, 16);
}

TEST(QuantizationSites, DepthwiseIsNotPrunedButOneInputChannelIsNotDepthwise) {
  GraphBuilder b("depthwise");
  std::string x = b.Node("conv1", "conv2d", {b.Input({8, 8, 1})}, kConv);
  x = b.Node("depthwise", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"groups", 4}});
  x = b.Node("grouped", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"groups", 2}});
  b.Node("last", "conv2d", {x}, {{"channels", 4}, {"kernel", 1}});
  const Graph graph = b.Build();
  EXPECT_TRUE(FindSite(graph, "conv1/weight").prunable);
  EXPECT_FALSE(FindSite(graph, "depthwise/weight").prunable);
  EXPECT_TRUE(FindSite(graph, "grouped/weight").prunable);
}

TEST(QuantizationSites, FollowPrecisions) {
  const Graph graph = Sequential([](const std::string& name, GraphBuilder& b) {
    if (name == "conv1") {
      b.weight().add_allowed_bits(8);
      b.weight().add_allowed_bits(4);
      b.weight().add_allowed_bits(8);
      b.output().add_allowed_bits(16);
      b.proto().mutable_default_weight()->add_allowed_bits(2);
      b.proto().mutable_default_weight()->add_allowed_bits(0);
      b.proto().mutable_default_output()->add_allowed_bits(4);
    }
    if (name == "fc") b.weight().set_leave_float(true);
  });
  EXPECT_EQ(SiteNames(graph),
            (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight", "conv2/output"}));
  EXPECT_EQ(FindSite(graph, "conv1/weight").allowed_bits, (std::vector<int>{4, 8}));
  EXPECT_FALSE(FindSite(graph, "conv1/weight").prunable);
  EXPECT_EQ(FindSite(graph, "conv1/output").allowed_bits, (std::vector<int>{16}));
  EXPECT_EQ(FindSite(graph, "conv2/weight").allowed_bits, (std::vector<int>{0, 2}));
  EXPECT_TRUE(FindSite(graph, "conv2/weight").prunable);
  EXPECT_EQ(FindSite(graph, "conv2/output").allowed_bits, (std::vector<int>{4}));
}

TEST(QuantizationSites, PrecisionMayStandAtTheRelu) {
  const Graph graph = Sequential([](const std::string& name, GraphBuilder& b) {
    if (name == "relu1") b.output().add_allowed_bits(8);
    if (name == "relu2") b.output().set_leave_float(true);
  });
  EXPECT_EQ(FindSite(graph, "conv1/output").allowed_bits, (std::vector<int>{8}));
  EXPECT_EQ(SiteNames(graph), (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight", "fc/weight"}));
}

TEST(QuantizationSites, AreBehindBatchNormAndRelu) {
  const Graph graph = BatchNormGraph().Build();
  EXPECT_EQ(SiteNames(graph),
            (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight", "conv2/output", "conv3/weight",
                                      "sum/output", "fc1/weight", "fc1/output", "fc2/weight"}));
  const Site conv1 = FindSite(graph, "conv1/output");
  EXPECT_EQ(conv1.node, graph.node("relu1").index);
  EXPECT_EQ(conv1.layer, graph.node("conv1").index);
  EXPECT_TRUE(conv1.nonnegative);
  EXPECT_EQ(conv1.macs, 9216);
  EXPECT_EQ(FindSite(graph, "fc1/output").node, graph.node("relu4").index);
  EXPECT_EQ(FindSite(graph, "conv1/weight").node, graph.node("conv1").index);
}

// fc1 bn1 relu1 fc2 bn2 fc3, with a hook after each node for its precision.
template <class Edit>
Graph WithBatchNorms(Edit edit) {
  GraphBuilder b("normalized");
  std::string x = b.Input({4});
  const auto add = [&](const std::string& name, const std::string& kind, const AttributeValues& attributes) {
    x = b.Node(name, kind, {x}, attributes);
    edit(name, b);
  };
  add("fc1", "linear", {{"channels", 4}, {"bias", false}});
  add("bn1", "batch_norm", {});
  add("relu1", "relu", {});
  add("fc2", "linear", {{"channels", 4}, {"bias", false}});
  add("bn2", "batch_norm", {});
  add("fc3", "linear", {{"channels", 3}});
  return b.Build();
}

TEST(QuantizationSites, WithoutAReluAreBehindTheBatchNorm) {
  const Graph graph = WithBatchNorms(Nothing);
  const Site site = FindSite(graph, "fc2/output");
  EXPECT_EQ(site.node, graph.node("bn2").index);
  EXPECT_FALSE(site.nonnegative);
  EXPECT_FALSE(FindSite(graph, "fc3/weight").prunable);
  EXPECT_TRUE(FindSite(graph, "fc2/weight").prunable);
}

TEST(QuantizationSites, PrecisionMayStandAtLayerBatchNormOrRelu) {
  for (const std::string place : {"fc1", "bn1", "relu1"}) {
    const Graph graph = WithBatchNorms([&](const std::string& name, GraphBuilder& b) {
      if (name == place) b.output().add_allowed_bits(8);
    });
    EXPECT_EQ(FindSite(graph, "fc1/output").allowed_bits, (std::vector<int>{8})) << place;
  }
  const auto message = [](const std::string& one, const std::string& other) {
    return MessageOf(WithBatchNorms([&](const std::string& name, GraphBuilder& b) {
      if (name == one || name == other) b.output().add_allowed_bits(8);
    }));
  };
  const std::string here = "output: expected a precision here or at ";
  EXPECT_EQ(message("fc1", "bn1"), "graph 'normalized': node 'bn1': " + here + "'fc1', got both");
  EXPECT_EQ(message("bn1", "relu1"), "graph 'normalized': node 'relu1': " + here + "'bn1', got both");
  EXPECT_EQ(message("fc1", "relu1"), "graph 'normalized': node 'relu1': " + here + "'fc1', got both");
}

TEST(QuantizationSites, APaddedShortcutIsNotQuantizedApart) {
  GraphBuilder b("padded");
  const std::string x = b.Node("relu", "relu", {b.Node("conv1", "conv2d", {b.Input({8, 8, 3})}, kConv)});
  const std::string narrow = b.Node("conv2", "conv2d", {x}, {{"channels", 6}, {"kernel", 1}, {"stride", 2}});
  const std::string pixels = b.Node("subsample", "max_pool", {x}, {{"kernel", 1}, {"stride", 2}});
  const std::string past = b.Node("pad", "pad_channels", {pixels}, {{"channels", 6}});
  b.Node("conv3", "conv2d", {b.Node("sum", "add", {narrow, past})}, kConv);
  const Graph graph = b.Build();
  EXPECT_EQ(SiteNames(graph),
            (std::vector<std::string>{"conv1/weight", "conv1/output", "conv2/weight", "sum/output", "conv3/weight"}));
  EXPECT_EQ(FindSite(graph, "conv1/output").node, graph.node("relu").index);
}

TEST(QuantizationSites, PrecisionsThatNothingReadsAreErrors) {
  EXPECT_EQ(MessageOf(Sequential([](const std::string& name, GraphBuilder& b) {
              if (name == "conv1" || name == "relu1") b.output().add_allowed_bits(8);
            })),
            "graph 'sequential': node 'relu1': output: expected a precision here or at 'conv1', got both");
  EXPECT_EQ(MessageOf(Sequential([](const std::string& name, GraphBuilder& b) {
              if (name == "fc") b.output().add_allowed_bits(8);
            })),
            "graph 'sequential': node 'fc': output: expected a precision only where the output is quantized, got one "
            "where it is not");
}

}  // namespace
}  // namespace bitgate
