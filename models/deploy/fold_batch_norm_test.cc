#include "models/deploy/fold_batch_norm.h"

#include <algorithm>
#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/deploy/check_frozen.h"
#include "models/deploy/reference_output.h"
#include "models/deploy/test_networks.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Three output channels of two elements, codes up to +-255 in steps of 0.5.
FrozenLayer Layer(Encoding encoding) {
  FrozenLayer layer;
  layer.shape = {3, 2};
  layer.weight.encoding = encoding;
  layer.weight.keep = {true, true, true};
  layer.values = {1, -2, 127.5f, 4, 5, 6};
  layer.bias = {1, 2, 3};
  if (encoding != Encoding::kInteger) return layer;
  layer.weight.bits = 8;
  layer.weight.is_signed = true;
  layer.weight.scale = 0.5f;
  layer.weight.qmin = -255;
  layer.weight.qmax = 255;
  layer.codes = {2, -4, 255, 8, 10, 12};
  return layer;
}

// Gains of 1, -0.5 and 0.
BatchNormValues Norm() {
  BatchNormValues norm;
  norm.gamma = {2, -1, 0};
  norm.beta = {0.25f, 0.5f, 0.75f};
  norm.running_mean = {3, 4, 5};
  norm.running_variance = {3, 3, 3};
  norm.epsilon = 1;
  return norm;
}

TEST(FoldNormIntoWeight, CodesStayAndScalesTakeTheGain) {
  const FrozenLayer folded = FoldNormIntoWeight("test", Layer(Encoding::kInteger), Norm());
  EXPECT_THAT(folded.scales, ElementsAre(0.5f, 0.25f, 1.0f));
  EXPECT_THAT(folded.codes, ElementsAre(2, -4, -255, -8, 0, 0));  // negative gain; none
  EXPECT_THAT(folded.values, ElementsAre(1, -2, -63.75f, -2, 0, 0));
  EXPECT_THAT(folded.bias, ElementsAre(0.25f + (1 - 3), 0.5f - 0.5f * (2 - 4), 0.75f));
  EXPECT_EQ(folded.weight.scale, 0.5f);
  EXPECT_EQ(folded.weight.qmax, 255);
}

TEST(FoldNormIntoWeight, LayerWithoutBiasGetsOne) {
  FrozenLayer layer = Layer(Encoding::kInteger);
  layer.bias.clear();
  EXPECT_THAT(FoldNormIntoWeight("test", layer, Norm()).bias, ElementsAre(0.25f - 3, 0.5f + 0.5f * 4, 0.75f));
}

TEST(FoldNormIntoWeight, RoundsOnce) {
  FrozenLayer layer = Layer(Encoding::kInteger);
  layer.weight.scale = 0.1f;
  BatchNormValues norm = Norm();
  norm.gamma[0] = 0.3f;
  norm.running_variance[0] = 0.7f;
  norm.epsilon = 1e-5;
  const double gain = static_cast<double>(0.3f) / std::sqrt(static_cast<double>(0.7f) + 1e-5);
  const FrozenLayer folded = FoldNormIntoWeight("test", layer, norm);
  EXPECT_EQ(folded.scales[0], static_cast<float>(static_cast<double>(0.1f) * gain));
  EXPECT_EQ(folded.values[1], folded.scales[0] * -4.0f);
  EXPECT_EQ(folded.bias[0], static_cast<float>(0.25 + (1.0 - 3.0) * gain));
}

TEST(FoldNormIntoWeight, ScaleThatVanishesIsAChannelOfZeros) {
  BatchNormValues norm = Norm();
  norm.gamma[0] = 1e-45f;
  FrozenLayer layer = Layer(Encoding::kInteger);
  layer.weight.scale = 1e-3f;
  const FrozenLayer folded = FoldNormIntoWeight("test", layer, norm);
  EXPECT_EQ(folded.scales[0], 1.0f);
  EXPECT_EQ(folded.codes[0], 0);
  EXPECT_EQ(folded.values[1], 0.0f);
}

TEST(FoldNormIntoWeight, OtherWeightsAreMultiplied) {
  for (const Encoding encoding : {Encoding::kFloat, Encoding::kClip}) {
    const FrozenLayer folded = FoldNormIntoWeight("test", Layer(encoding), Norm());
    EXPECT_EQ(folded.weight.encoding, Encoding::kFloat);
    EXPECT_THAT(folded.scales, IsEmpty());
    EXPECT_THAT(folded.values, ElementsAre(1, -2, -63.75f, -2, 0, 0));
    EXPECT_THAT(folded.bias, ElementsAre(-1.75f, 1.5f, 0.75f));
  }
}

TEST(FoldNormIntoWeight, PrunedAndZeroLayersKeepTheirConstants) {
  FrozenLayer layer = Layer(Encoding::kInteger);
  layer.weight.keep[0] = false;
  layer.codes[0] = layer.codes[1] = 0;
  layer.values[0] = layer.values[1] = 0;
  const FrozenLayer pruned = FoldNormIntoWeight("test", layer, Norm());
  EXPECT_THAT(pruned.weight.keep, ElementsAre(false, true, true));
  EXPECT_EQ(pruned.values[0], 0.0f);
  EXPECT_EQ(pruned.bias[0], -1.75f);

  FrozenLayer zero = Layer(Encoding::kZero);
  zero.values.assign(6, 0.0f);
  const FrozenLayer constant = FoldNormIntoWeight("test", zero, Norm());
  EXPECT_EQ(constant.weight.encoding, Encoding::kZero);
  EXPECT_THAT(constant.scales, IsEmpty());
  EXPECT_THAT(constant.bias, ElementsAre(-1.75f, 1.5f, 0.75f));
}

void ExpectInvalid(const FrozenLayer& layer, const BatchNormValues& norm, const std::string& text) {
  try {
    FoldNormIntoWeight("node 'norm'", layer, norm);
    FAIL() << "expected: " << text;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("node 'norm': " + text));
  }
}

TEST(FoldNormIntoWeight, ValuesThatDoNotFitAreRefused) {
  BatchNormValues norm = Norm();
  norm.gamma.pop_back();
  ExpectInvalid(Layer(Encoding::kFloat), norm, "gamma: expected 3 elements, got 2");
  norm = Norm();
  norm.running_variance.push_back(1);
  ExpectInvalid(Layer(Encoding::kFloat), norm, "running_variance: expected 3 elements, got 4");
  norm = Norm();
  norm.running_variance[1] = -2;
  ExpectInvalid(Layer(Encoding::kFloat), norm, "running_variance: expected more than -1, got -2");
  FrozenLayer layer = Layer(Encoding::kInteger);
  layer.weight.qmin = -256;
  ExpectInvalid(layer, Norm(), "weight codes: expected a range that is symmetric around 0, got -256 to 255");
}

// -- Networks -------------------------------------------------------------------------------------

TEST(FoldNormsIntoWeights, LayersAndQuantizersFollowTheirNames) {
  const Graph graph = NormalizedResidualGraph().Build();
  const FrozenNetwork network = MakeTestNetwork(graph, {});
  const FrozenNetwork folded = FoldNormsIntoWeights(network, MakeTestNorms(graph, 3));
  CheckFrozenNetwork(folded);
  EXPECT_EQ(folded.layers.size(), network.layers.size());
  EXPECT_EQ(folded.activations.size(), network.activations.size());
  for (const Node& node : folded.graph.nodes()) EXPECT_NE(node.kind->name(), "batch_norm") << node.name;
  const auto scale = [](const FrozenNetwork& from, const std::string& name) {
    return from.activations.at(from.graph.node(name).index).scale;
  };
  for (const char* name : {"relu0", "relu1", "relu2", "relu4"}) EXPECT_EQ(scale(folded, name), scale(network, name));
  EXPECT_EQ(scale(folded, "conv3"), scale(network, "norm3"));
  EXPECT_THAT(folded.layers.at(folded.graph.node("head").index).scales, IsEmpty());
  EXPECT_EQ(folded.layers.at(folded.graph.node("fc").index).scales.size(), 9u);
}

TEST(FoldNormsIntoWeights, NetworksComputeTheSame) {
  const Graph graph = NormalizedResidualGraph().Build();
  int compared = 0;
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    TestNetworkOptions options;
    options.seed = seed;
    options.weight_bits = std::vector<int>{1, 4, 8, 32, kTestFloat}[seed % 5];
    options.sign_bit_apart = options.weight_bits < 32 && options.weight_bits != kTestFloat;
    options.pruned = seed % 3 == 0 ? 0.3 : 0;
    const FrozenNetwork network = MakeTestNetwork(graph, options);
    const std::map<int, BatchNormValues> norms = MakeTestNorms(graph, seed);
    const FrozenNetwork folded = FoldNormsIntoWeights(network, norms);
    TestRandom random(seed);
    std::vector<float> image(6 * 6 * 2);
    for (float& value : image) value = random.Uniform(0, 1);
    const ReferenceOutput expected = RunReference(network, image, norms), got = RunReference(folded, image);
    if (std::min(expected.tie_distance, got.tie_distance) < 1e-4) continue;
    ++compared;
    ASSERT_EQ(expected.values.size(), got.values.size());
    for (size_t i = 0; i < got.values.size(); ++i) EXPECT_NEAR(got.values[i], expected.values[i], 1e-5) << seed;
  }
  EXPECT_GT(compared, 20);
}

TEST(FoldNormsIntoWeights, MissingNormIsRefused) {
  const Graph graph = NormalizedResidualGraph().Build();
  std::map<int, BatchNormValues> norms = MakeTestNorms(graph, 3);
  norms.erase(graph.node("norm2").index);
  try {
    FoldNormsIntoWeights(MakeTestNetwork(graph, {}), norms);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("node 'norm2': expected the values of a batch norm, got none"));
  }
}

}  // namespace
}  // namespace bitgate
