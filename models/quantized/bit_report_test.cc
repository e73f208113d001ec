#include "models/quantized/bit_report.h"

#include <gtest/gtest.h>

#include <string>

#include "models/graph/builder.h"
#include "models/graph/site.h"
#include "models/graph/test_graphs.h"
#include "models/zoo/lenet5.h"

namespace bitgate {
namespace {

BitReport LeNet5Report() {
  const SiteStates states = {{"conv1/weight", {4, 16}}, {"conv1/output", {8, 0}}, {"conv2/weight", {2, 32}},
                             {"conv2/output", {4, 0}},  {"fc1/weight", {8, 128}}, {"fc1/output", {16, 0}},
                             {"fc2/weight", {32, 10}}};
  return MakeBitReport(zoo::LeNet5(), states);
}

TEST(BitReport, Rows) {
  const BitReport report = LeNet5Report();
  ASSERT_EQ(report.rows.size(), 4u);
  const BitReportRow& row = report.rows[1];
  EXPECT_EQ(row.layer, "conv2");
  EXPECT_EQ(row.kind, "conv2d");
  EXPECT_EQ(row.weight_bits, 2);
  EXPECT_EQ(row.activation_bits, 4);
  EXPECT_EQ(row.kept_channels, 32);
  EXPECT_EQ(row.channels, 64);
  EXPECT_EQ(row.macs, 3276800);
  EXPECT_EQ(row.bops, 13107200);
  EXPECT_DOUBLE_EQ(row.bops_share, 13107200.0 / 23232512);
  EXPECT_EQ(row.bytes, 3328);
  EXPECT_FALSE(report.rows[3].activation_bits.has_value());
  EXPECT_EQ(report.kept_channels, 16 + 32 + 128 + 10);
  EXPECT_EQ(report.channels, 32 + 64 + 512 + 10);
  EXPECT_EQ(report.bops, 23232512);
  EXPECT_EQ(report.bytes, 74800);
  const double weight_bits = 800.0 * 4 + 51200.0 * 2 + 524288.0 * 8 + 5120.0 * 32;
  EXPECT_DOUBLE_EQ(report.weight_compression, 32 * (800.0 + 51200 + 524288 + 5120) / weight_bits);
}

TEST(BitReport, Table) {
  EXPECT_EQ(FormatTable(LeNet5Report()),
            "layer  kind    weights  output  channels     MACs     BOPs   share  bytes\n"
            "conv1  conv2d        4       8     16/32  460.8 k  7.373 M  31.7 %    264\n"
            "conv2  conv2d        2       4     32/64  3.277 M  13.11 M  56.4 %   3328\n"
            "fc1    linear        8      16   128/512  524.3 k  2.097 M   9.0 %  66048\n"
            "fc2    linear       32   float     10/10   5.12 k  655.4 k   2.8 %   5160\n"
            "total                            186/618  4.267 M  23.23 M          74800\n"
            "relative BOPs 0.532 %, bytes 74800 of 2328104, weight compression 4.168\n");
}

TEST(BitReport, Json) {
  GraphBuilder b("two");
  std::string x = b.Node("fc1", "linear", {b.Input({4})}, {{"channels", 4}});
  b.Node("fc2", "linear", {x}, {{"channels", 2}});
  b.weight().set_leave_float(true);
  const BitReport report = MakeBitReport(b.Build(), {{"fc1/weight", {4, 2}}, {"fc1/output", {8, 0}}});
  EXPECT_EQ(
      ToJson(report),
      R"({"network":"two","layers":[)"
      R"({"layer":"fc1","kind":"linear","weight_bits":4,"activation_bits":8,"kept_channels":2,"channels":4,)"
      R"("macs":16.0,"bops":256.0,"bops_share":0.2,"bytes":12},)"
      R"({"layer":"fc2","kind":"linear","weight_bits":null,"activation_bits":null,"kept_channels":2,"channels":2,)"
      R"("macs":8.0,"bops":1024.0,"bops_share":0.8,"bytes":24}],)"
      R"("totals":{"kept_channels":4,"channels":6,"macs":24.0,"bops":1280.0,"relative_bops":0.052083333333333336,)"
      R"("bytes":36,"float_bytes":120,"weight_compression":8.0}})");
}

TEST(BitReport, SumsHaveARowWithoutWeight) {
  const Graph graph = ResidualGraph().Build();
  const BitReport report = MakeBitReport(graph, UniformStates(QuantizationSites(graph), 8));
  ASSERT_EQ(report.rows.size(), 5u);
  EXPECT_EQ(report.rows[3].layer, "sum");
  EXPECT_FALSE(report.rows[3].has_weight);
  EXPECT_EQ(report.rows[3].activation_bits, 8);
  EXPECT_EQ(report.rows[3].bops, 0);
  EXPECT_FALSE(report.rows[2].activation_bits.has_value());  // conv3 goes into the sum unquantized
  EXPECT_EQ(report.channels, 4 + 4 + 4 + 2);
}

TEST(BitReport, BatchNormsHaveNoRow) {
  const Graph graph = BatchNormGraph().Build();
  const BitReport report = MakeBitReport(graph, UniformStates(QuantizationSites(graph), 8));
  ASSERT_EQ(report.rows.size(), 6u);
  EXPECT_EQ(report.rows[4].layer, "fc1");
  EXPECT_EQ(report.rows[4].activation_bits, 8);
  EXPECT_EQ(report.rows[4].bytes, 24 + 24);
  EXPECT_EQ(report.weight_compression, 4);
}

TEST(BitReport, AllPrunedHasNoShares) {
  const Graph graph = zoo::LeNet5();
  SiteStates states = UniformStates(QuantizationSites(graph), 8);
  for (const char* site : {"conv1/weight", "conv2/weight", "fc1/weight"}) states[site] = {0, 0};
  const BitReport report = MakeBitReport(graph, states);
  EXPECT_EQ(report.bops, 0);
  EXPECT_EQ(report.relative_bops, 0);
  EXPECT_EQ(report.rows[0].bops_share, 0);
}

}  // namespace
}  // namespace bitgate
