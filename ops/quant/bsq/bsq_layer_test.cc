#include "ops/quant/bsq/bsq_layer.h"

#include <algorithm>
#include <cmath>

#include "ops/op_testing.h"
#include "ops/quant/bsq/bsq_weight.h"

namespace bitgate {
namespace {

using testing::ExpectInvalid;
using testing::RandomValues;

std::vector<float> Weights(Context& context, const BsqLayer& layer) {
  const int64_t elements = layer.planes.size() / layer.planes.shape()[0];
  return ToHost<float>(context, BsqWeight(context, layer.planes, Zeros(context, {elements}), layer.scale, layer.bits));
}

BsqLayer LayerOf(Context& context, const std::vector<float>& planes, int bits, float scale = 0.81f) {
  const int64_t elements = static_cast<int64_t>(planes.size()) / (2 * bits);
  return {FromHost(context, planes, {2 * bits, elements}), FromHost<float>(context, {scale}, {1}), bits};
}

// The planes of given codes.
BsqLayer LayerOfCodes(Context& context, const std::vector<int>& codes, int bits) {
  std::vector<float> planes(2 * bits * codes.size());
  for (size_t i = 0; i < codes.size(); ++i) {
    for (int b = 0; b < bits; ++b) {
      const size_t row = (codes[i] < 0 ? bits : 0) + b;
      planes[row * codes.size() + i] = static_cast<float>(std::abs(codes[i]) >> (bits - 1 - b) & 1);
    }
  }
  return LayerOf(context, planes, bits);
}

float ScaleOf(Context& context, const BsqLayer& layer) { return ToHost<float>(context, layer.scale)[0]; }

void ExpectSameWeights(const std::vector<float>& actual, const std::vector<float>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    // Both are scale * (code / levels), and the scale was rounded twice.
    ASSERT_NEAR(actual[i], expected[i], 4 * testing::kEpsilon * std::fabs(expected[i])) << i;
  }
}

TEST(BsqFromFloat, IsWithinHalfAStepAndExactAtTheLargest) {
  testing::TestContext context;
  for (int bits = 1; bits <= 8; ++bits) {
    const auto weight = RandomValues(999, 3, -0.8f, 0.5f);
    const BsqLayer layer = BsqFromFloat(context, FromHost(context, weight, {37, 27}), bits);
    EXPECT_EQ(layer.planes.shape(), (Shape{2 * bits, 999}));
    EXPECT_EQ(layer.bits, bits);
    float largest = 0;
    for (const float w : weight) largest = std::max(largest, std::fabs(w));
    EXPECT_EQ(ScaleOf(context, layer), largest);
    const auto w = Weights(context, layer);
    const auto codes = BsqCodes(context, layer);
    const double levels = (1 << bits) - 1;
    for (size_t i = 0; i < weight.size(); ++i) {
      // Ties and weights near 1 are rounded once more or less.
      ASSERT_NEAR(w[i], weight[i], (0.5 + 1e-4) * largest / levels);
      ASSERT_EQ(w[i], largest * (static_cast<float>(codes[i]) / static_cast<float>(levels)));
      ASSERT_TRUE(std::fabs(weight[i]) < largest || w[i] == weight[i]);
    }
  }
}

TEST(BsqFromFloat, PlanesAreDigitsOfTheSignsOwnSide) {
  testing::TestContext context;
  const BsqLayer layer = BsqFromFloat(context, FromHost<float>(context, {5, -7, 0, 2}, {4}), 3);
  EXPECT_EQ(ToHost<float>(context, layer.planes), (std::vector<float>{1, 0, 0, 0,  //
                                                                      0, 0, 0, 1,  //
                                                                      1, 0, 0, 0,  //
                                                                      0, 1, 0, 0,  //
                                                                      0, 1, 0, 0,  //
                                                                      0, 1, 0, 0}));
}

TEST(BsqFromFloat, ZerosAndTheSmallestNumbersHaveCodes) {
  testing::TestContext context;
  const BsqLayer zeros = BsqFromFloat(context, Zeros(context, {10}), 8);
  EXPECT_EQ(ScaleOf(context, zeros), 0.0f);
  EXPECT_EQ(BsqCodes(context, zeros), std::vector<int32_t>(10, 0));
  EXPECT_EQ(Weights(context, zeros), std::vector<float>(10, 0.0f));
  const BsqLayer small = BsqFromFloat(context, FromHost<float>(context, {0x1p-149f, -0x1p-149f}, {2}), 8);
  EXPECT_EQ(BsqCodes(context, small), (std::vector<int32_t>{255, -255}));
  EXPECT_EQ(BsqFromFloat(context, Zeros(context, {0}), 2).planes.shape(), (Shape{4, 0}));
}

TEST(BsqRequantize, ChangesNoWeightWhereNoneIsBeyond) {
  testing::TestContext context;
  for (int bits = 1; bits <= 8; ++bits) {
    auto planes = RandomValues(2 * bits * 700, 5, 0.0f, 0.99f);
    const BsqLayer layer = LayerOf(context, planes, bits), requantized = BsqRequantize(context, layer);
    EXPECT_EQ(requantized.bits, bits);
    EXPECT_EQ(Weights(context, requantized), Weights(context, layer));
    EXPECT_EQ(BsqCodes(context, requantized), BsqCodes(context, layer));
    for (const float digit : ToHost<float>(context, requantized.planes)) ASSERT_TRUE(digit == 0 || digit == 1);
  }
}

TEST(BsqRequantize, GrowsByOnePlaneAndReleasesWhatWasSaturated) {
  testing::TestContext context;
  for (int bits = 1; bits < 8; ++bits) {
    auto planes = RandomValues(2 * bits * 700, 6, 0.0f, 0.99f);
    for (int b = 0; b < bits; ++b) planes[b * 700] = 2, planes[(bits + b) * 700] = 0;
    const BsqLayer layer = LayerOf(context, planes, bits), grown = BsqRequantize(context, layer);
    ASSERT_EQ(grown.bits, bits + 1);
    auto before = Weights(context, layer), after = Weights(context, grown);
    EXPECT_EQ(before[0], 0.81f);
    EXPECT_NEAR(after[0], 2 * 0.81f, 8 * testing::kEpsilon);
    before.erase(before.begin()), after.erase(after.begin());
    ExpectSameWeights(after, before);
  }
}

TEST(BsqRequantize, SaturatesAtEightBits) {
  testing::TestContext context;
  std::vector<float> planes(16 * 3, 0.0f);
  for (int b = 0; b < 8; ++b) planes[b * 3] = 2, planes[(8 + b) * 3 + 1] = 1.5f;
  const BsqLayer layer = BsqRequantize(context, LayerOf(context, planes, 8));
  EXPECT_EQ(layer.bits, 8);
  EXPECT_EQ(ScaleOf(context, layer), 0.81f);
  EXPECT_EQ(BsqCodes(context, layer), (std::vector<int32_t>{255, -255, 0}));
}

TEST(BsqAdjust, DropsPlanesThatAreZeroEverywhere) {
  testing::TestContext context;
  const struct {
    std::vector<int> codes;
    int bits, kept;
  } cases[] = {{{255, -1, 0}, 8, 8},    {{15, -3, 8}, 8, 4}, {{128, -64, 64}, 8, 2},
               {{0, 128}, 8, 1},        {{-1, 0}, 8, 1},     {{12, -4, 0}, 6, 2},
               {{20, 0, -20, 4}, 5, 3}, {{1}, 1, 1},         {{-6, 2}, 3, 2}};
  for (const auto& [codes, bits, kept] : cases) {
    const BsqLayer layer = LayerOfCodes(context, codes, bits), adjusted = BsqAdjust(context, layer);
    EXPECT_EQ(adjusted.bits, kept) << codes[0] << " in " << bits << " bits";
    ExpectSameWeights(Weights(context, adjusted), Weights(context, layer));
    const BsqLayer again = BsqAdjust(context, adjusted);
    EXPECT_EQ(again.bits, kept);
    EXPECT_EQ(ToHost<float>(context, again.planes), ToHost<float>(context, adjusted.planes));
    EXPECT_EQ(ScaleOf(context, again), ScaleOf(context, adjusted));
  }
}

TEST(BsqAdjust, KeepsOnePlaneOfALayerThatIsZero) {
  testing::TestContext context;
  const BsqLayer layer = BsqAdjust(context, LayerOf(context, RandomValues(8 * 50, 9, 0.0f, 0.03f), 4));
  EXPECT_EQ(layer.bits, 1);
  EXPECT_EQ(ToHost<float>(context, layer.planes), std::vector<float>(2 * 50, 0.0f));
  EXPECT_NEAR(ScaleOf(context, layer), 0.81 / 15, testing::kEpsilon * 0.1);
  EXPECT_EQ(Weights(context, layer), std::vector<float>(50, 0.0f));
}

TEST(BsqAdjust, LooksAtTheFirstRowsOnly) {
  testing::TestContext context;
  auto planes = RandomValues(6 * 40, 10, 0.0f, 0.99f);
  const BsqLayer expected = BsqAdjust(context, LayerOf(context, planes, 3));
  planes.resize(16 * 40, NAN);
  const BsqLayer layer = BsqAdjust(context, {FromHost(context, planes, {16, 5, 8}), expected.scale, 3});
  EXPECT_EQ(ToHost<float>(context, layer.planes), ToHost<float>(context, expected.planes));
}

TEST(BsqLayer, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  const BsqLayer good = LayerOf(context, std::vector<float>(6 * 4, 0.5f), 3);
  BsqLayer bad = good;
  bad.bits = 4;
  ExpectInvalid([&] { BsqAdjust(context, bad); }, {"bsq_adjust", "8 rows", "[6, 4]"});
  ExpectInvalid([&] { BsqCodes(context, bad); }, {"8 rows"});
  bad = good;
  bad.scale = Zeros(context, {2});
  ExpectInvalid([&] { BsqRequantize(context, bad); }, {"scale"});
  bad.scale = FromHost<float>(context, {INFINITY}, {1});
  ExpectInvalid([&] { BsqRequantize(context, bad); }, {"finite scale", "inf"});
  bad = LayerOf(context, std::vector<float>(6 * 4, NAN), 3);
  ExpectInvalid([&] { BsqAdjust(context, bad); }, {"finite planes", "nan"});
  ExpectInvalid([&] { BsqFromFloat(context, {}, 3); }, {"bsq_from_float", "weight"});
  ExpectInvalid([&] { BsqFromFloat(context, good.scale, 9); }, {"1 to 8 bits", "9"});
  ExpectInvalid([&] { BsqFromFloat(context, FromHost<float>(context, {1, NAN}, {2}), 3); }, {"finite weights"});
}

}  // namespace
}  // namespace bitgate
