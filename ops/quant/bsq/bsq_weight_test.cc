#include "ops/quant/bsq/bsq_weight.h"

#include <cmath>

#include "ops/op_testing.h"
#include "ops/optim/optim.h"
#include "ops/quant/bsq/bsq_group_lasso.h"
#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_math.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::RandomValues;

// What training leaves: digits around 0 and 1, clamped to [0, 2].
std::vector<float> RandomPlanes(int rows, int64_t elements, uint32_t seed) {
  std::vector<float> planes = RandomValues(rows * elements, seed, -0.6f, 2.2f);
  for (float& digit : planes) digit = std::fmin(std::fmax(digit, 0.0f), 2.0f);
  return planes;
}

Tensor RowOf(const Tensor& planes, const Shape& shape) { return ReshapeView(SliceView(planes, 0, 0, 1), shape); }

// u (2^bits - 1) of element i.
double PlaneSum(const std::vector<float>& planes, int bits, int64_t elements, int64_t i) {
  return BsqPlaneSum<double>(
      bits, [&](int row) { return double{planes[row * elements + i]}; }, [](float value) { return double{value}; });
}

TEST(BsqWeight, IsTheNearestStepOfSignAndMagnitude) {
  testing::TestContext context;
  for (int bits = 1; bits <= kBsqMaxBits; ++bits) {
    for (const int64_t elements : testing::InterestingSizes()) {
      const auto planes = RandomPlanes(2 * bits, elements, 3);
      const Tensor given = FromHost(context, planes, {2 * bits, elements});
      const auto w = ToHost<float>(
          context, BsqWeight(context, given, RowOf(given, {elements}), FromHost<float>(context, {0.7f}, {1}), bits));
      const double levels = (1 << bits) - 1;
      for (int64_t i = 0; i < elements; ++i) {
        const double sum = PlaneSum(planes, bits, elements, i);
        const double code = std::fmin(std::rint(std::fabs(sum)), levels);
        // A sum of 2 bits terms below 2^bits, and two roundings of it.
        const double unsure = (2 * bits + 2) * testing::kEpsilon * 2 * levels;
        if (std::fabs(std::fabs(std::fabs(sum) - code) - 0.5) < unsure) continue;
        const double expected = std::copysign(0.7f * code / levels, sum);
        // Two roundings.
        ASSERT_NEAR(w[i], expected, testing::kEpsilon * std::fabs(expected)) << bits << " bits, " << sum;
      }
    }
  }
}

TEST(BsqWeight, EightBitsReach255BothWaysAndNoFurther) {
  testing::TestContext context;
  std::vector<float> planes(16 * 4, 0.0f);
  for (int b = 0; b < 8; ++b) {
    planes[b * 4] = 1, planes[(8 + b) * 4 + 1] = 1;      // all digits: codes 255 and -255
    planes[b * 4 + 2] = 2, planes[(8 + b) * 4 + 3] = 2;  // twice that
  }
  const Tensor given = FromHost(context, planes, {16, 2, 2});
  const Tensor w = BsqWeight(context, given, RowOf(given, {4}), FromHost<float>(context, {255.0f}, {1}), 8);
  EXPECT_EQ(ToHost<float>(context, w), (std::vector<float>{255, -255, 255, -255}));
}

TEST(BsqWeight, IsExactlyZeroWhereAllCodesAre) {
  testing::TestContext context;
  const Tensor planes = RandomTensor(context, {8, 1000}, 5, 0.0f, 0.03f);
  const Tensor w = BsqWeight(context, planes, RowOf(planes, {1000}), FromHost<float>(context, {3e38f}, {1}), 4);
  for (const float value : ToHost<float>(context, w)) ASSERT_EQ(value, 0.0f);
}

TEST(BsqWeight, FurtherRowsAndTheRowsValuesAreNotRead) {
  testing::TestContext context;
  const auto planes = RandomPlanes(6, 33, 7);
  auto longer = planes;
  longer.resize(16 * 33, NAN);
  const Tensor scale = FromHost<float>(context, {0.3f}, {1});
  const Tensor exact = FromHost(context, planes, {6, 33});
  const Tensor nans = FromHost(context, std::vector<float>(33, NAN), {11, 3});
  const Tensor w = BsqWeight(context, FromHost(context, longer, {16, 33}), nans, scale, 3);
  EXPECT_EQ(w.shape(), (Shape{11, 3}));
  EXPECT_EQ(ToHost<float>(context, w), ToHost<float>(context, BsqWeight(context, exact, RowOf(exact, {33}), scale, 3)));
}

// Result, gradient of the row and of the scale.
std::vector<std::vector<float>> ResultsOn(Context& context, const std::vector<float>& planes,
                                          const std::vector<float>& grad, float scale, int bits, int64_t offset) {
  const int64_t elements = static_cast<int64_t>(grad.size()), rows = 2 * bits;
  const auto shifted = [&](const std::vector<float>& values, const Shape& shape) {
    std::vector<float> moved(values.size() + offset);
    std::copy(values.begin(), values.end(), moved.begin() + offset);
    const Tensor whole = FromHost(context, moved, {shape.size() + offset});
    return ReshapeView(SliceView(whole, 0, offset, offset + shape.size()), shape);
  };
  const Tensor given = shifted(planes, {rows, elements});
  const auto results = testing::RunWithGradients(
      context, [=](Context& c, const std::vector<Tensor>& in) { return BsqWeight(c, given, in[0], in[1], bits); },
      {RowOf(given, {elements}), FromHost<float>(context, {scale}, {1})}, shifted(grad, {elements}));
  std::vector<std::vector<float>> values;
  for (const Tensor& result : results) values.push_back(ToHost<float>(context, result));
  return values;
}

TEST(BsqWeight, GradientsFollowTheStraightThroughDefinition) {
  testing::TestContext context;
  for (const int bits : {1, 3, 8}) {
    for (const int64_t elements : testing::InterestingSizes()) {
      for (const float scale : {0.37f, 0.0f}) {
        const auto planes = RandomPlanes(2 * bits, elements, 11);
        const auto grad = RandomValues(elements, 12);
        const auto results = ResultsOn(context, planes, grad, scale, bits, 0);
        const float levels = BsqLevels(bits);
        double grad_scale = 0, magnitude = 0;
        for (int64_t i = 0; i < elements; ++i) {
          // Also where Q saturates.
          ASSERT_EQ(results[1][i], scale * grad[i]) << i;
          const float sum = BsqPlaneSum<float>(
              bits, [&](int row) { return planes[row * elements + i]; }, [](float value) { return value; });
          const double term = double{grad[i]} * (BsqCode(sum, levels, 1.0f) / levels);
          grad_scale += term, magnitude += std::fabs(term);
        }
        // 16 float lanes of at most 512 terms, or threads' sums of 64, then double.
        EXPECT_NEAR(results[2][0], grad_scale, testing::SumTolerance(512) * testing::kEpsilon * magnitude);
      }
    }
  }
}

TEST(BsqWeight, GainsAreTheSlopeOfUInEveryPlane) {
  for (int bits = 1; bits <= kBsqMaxBits; ++bits) {
    const auto gains = BsqGains(bits);
    ASSERT_EQ(gains.size(), 2u * bits);
    for (int row = 0; row < 2 * bits; ++row) {
      std::vector<float> digits(2 * bits, 0.0f);
      digits[row] = 1;
      const double slope = PlaneSum(digits, bits, 1, 0) / ((1 << bits) - 1);
      EXPECT_NEAR(gains[row], slope, testing::kEpsilon * std::fabs(slope)) << bits << " bits, row " << row;
    }
  }
}

TEST(BsqWeight, TheOptimizerTakesPlanesAsRowsOfOneGradient) {
  testing::TestContext context;
  const int bits = 3;
  const int64_t elements = 1001;
  const auto before = RandomPlanes(2 * bits, elements, 21), upstream = RandomValues(elements, 22);
  const Tensor planes = FromHost(context, before, {2 * bits, elements});
  const auto results = testing::RunWithGradients(
      context, [=](Context& c, const std::vector<Tensor>& in) { return BsqWeight(c, planes, in[0], in[1], bits); },
      {RowOf(planes, {elements}), FromHost<float>(context, {0.9f}, {1})}, FromHost(context, upstream, {elements}));
  const double weight = 40;
  ParameterUpdate update;
  update.parameter = planes;
  update.gradient = results[1];
  update.gain = FromHost(context, BsqGains(bits), {2 * bits});
  update.decay = BsqGroupLasso(context, planes, bits, weight).decay;
  update.low = 0, update.high = 2;
  SgdOptions options;
  options.learning_rate = 0.1;
  SgdStep(context, {update}, options);

  const auto after = ToHost<float>(context, planes);
  for (int row = 0; row < 2 * bits; ++row) {
    const int b = row % bits;
    double squares = 1e-8;
    for (int64_t i = 0; i < elements; ++i) {
      squares += std::pow(before[b * elements + i], 2) + std::pow(before[(bits + b) * elements + i], 2);
    }
    const double gain = (row < bits ? 1 : -1) * std::ldexp(1.0, bits - 1 - b) / 7;
    for (int64_t i = 0; i < elements; ++i) {
      const double p = before[row * elements + i];
      const double grad = 0.9f * double{upstream[i]} * gain + weight / std::sqrt(squares) * p;
      const double expected = std::fmin(std::fmax(p - 0.1 * grad, 0.0), 2.0);
      // Some ten roundings of numbers up to 4.
      ASSERT_NEAR(after[row * elements + i], expected, 40 * testing::kEpsilon) << "row " << row << " at " << i;
    }
  }
}

TEST(BsqWeight, SameBitsOnEveryInstructionSet) {
  Context context;
  for (const int bits : {1, 5, 8}) {
    for (const int64_t elements : testing::InterestingSizes()) {
      const Tensor planes = FromHost(context, RandomPlanes(2 * bits, elements, 31), {2 * bits, elements});
      const Tensor grad = RandomTensor(context, {elements}, 32), scale = FromHost<float>(context, {0.7f}, {1});
      std::vector<std::vector<uint32_t>> expected;
      for (const Isa isa : testing::IsasToTest()) {
        const Tensor w = Empty(context, {elements}), q = Empty(context, {elements}), row = Empty(context, {elements});
        const Tensor grad_scale = Empty(context, {1}), penalty = Empty(context, {1}),
                     decay = Empty(context, {2 * bits});
        const BsqPlanes in{planes.view(), bits, elements};
        BG_KERNEL_OF(isa, BsqWeightForward)(context.kernel(), w.view(), q.view(), in, scale.view());
        BG_KERNEL_OF(isa, BsqWeightBackward)
        (context.kernel(), row.view(), grad_scale.view(), grad.view(), q.view(), scale.view(), elements);
        BG_KERNEL_OF(isa, BsqGroupLasso)(context.kernel(), penalty.view(), decay.view(), in, 0.3);
        std::vector<std::vector<uint32_t>> actual;
        for (const Tensor& result : {w, q, row, grad_scale, penalty, decay}) {
          actual.push_back(BitsOf(ToHost<float>(context, result)));
        }
        if (isa == Isa::kScalar) expected = actual;
        EXPECT_EQ(actual, expected) << IsaName(isa) << ", " << bits << " bits, " << elements << " elements";
      }
    }
  }
}

TEST(BsqWeight, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  for (int bits = 1; bits <= kBsqMaxBits; ++bits) {
    for (const int64_t elements : {int64_t{1}, int64_t{1023}, int64_t{1024}, int64_t{4100}, int64_t{70001}}) {
      if (elements > 5000 && bits % 3 != 2) continue;
      auto planes = RandomPlanes(2 * bits, elements, 41);
      for (const float special : {INFINITY, -INFINITY, 0x1p-149f, -0.0f, 3e38f}) {
        planes[static_cast<size_t>(std::fabs(special) > 1 ? elements / 2 : elements / 3)] = special;
      }
      const auto grad = RandomValues(elements, 42);
      const auto expected = ResultsOn(cpu, planes, grad, 0.7f, bits, 0);
      const auto actual = ResultsOn(context, planes, grad, 0.7f, bits, 0);
      for (const int k : {0, 1}) ASSERT_EQ(BitsOf(actual[k]), BitsOf(expected[k])) << bits << " bits, " << elements;
      double magnitude = 0;
      for (const float g : grad) magnitude += std::fabs(g);
      EXPECT_NEAR(actual[2][0], expected[2][0], testing::SumTolerance(512) * testing::kEpsilon * magnitude);
      EXPECT_EQ(ResultsOn(context, planes, grad, 0.7f, bits, 1), actual) << "results depend on the sizes alone";
    }
  }
}

TEST(BsqWeight, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  const Tensor planes = Zeros(context, {6, 10}), row = Zeros(context, {2, 5}), one = Zeros(context, {1});
  ExpectInvalid([&] { BsqWeight(context, planes, row, one, 4); }, {"bsq_weight", "at least 8 rows", "[6, 10]"});
  ExpectInvalid([&] { BsqWeight(context, planes, row, one, 0); }, {"bsq_weight", "1 to 8 bits", "0"});
  ExpectInvalid([&] { BsqWeight(context, planes, row, one, 9); }, {"1 to 8 bits", "9"});
  ExpectInvalid([&] { BsqWeight(context, planes, one, one, 3); }, {"row of 10 elements", "[1]"});
  ExpectInvalid([&] { BsqWeight(context, planes, row, row, 3); }, {"scale"});
  ExpectInvalid([&] { BsqWeight(context, {}, row, one, 3); }, {"planes"});
  ExpectInvalid([&] { BsqWeight(context, planes, {}, one, 3); }, {"row"});
  ExpectInvalid([&] { BsqWeight(context, Zeros(context, {60}), row, one, 3); }, {"planes", "[60]"});
  ExpectInvalid([&] { BsqWeight(context, Zeros(context, {6, 10}, DType::kInt32), row, one, 3); }, {"planes"});
  ExpectInvalid([&] { BsqGains(0); }, {"bsq_gains"});
}

TEST(BsqGroupLasso, MatchesTheDefinitionInDouble) {
  testing::TestContext context;
  for (int bits = 1; bits <= kBsqMaxBits; ++bits) {
    for (const int64_t elements : testing::InterestingSizes()) {
      for (const int64_t more : {0, 2}) {
        auto planes = RandomPlanes(2 * bits + more, elements, 51);
        std::fill(planes.begin(), planes.begin() + elements, 0.0f);
        const double weight = BsqLassoWeight(0.005, elements + 1, bits, 100000);
        const BsqLasso lasso =
            BsqGroupLasso(context, FromHost(context, planes, {2 * bits + more, elements}), bits, weight);
        const auto decay = ToHost<float>(context, lasso.decay);
        ASSERT_EQ(decay.size(), 2u * bits);
        double penalty = 0;
        for (int b = 0; b < bits; ++b) {
          double squares = 1e-8;
          for (int64_t i = 0; i < elements; ++i) {
            squares += std::pow(planes[b * elements + i], 2) + std::pow(planes[(bits + b) * elements + i], 2);
          }
          const double expected = weight / std::sqrt(squares);
          // A sum of squares, halved by the root, and a few roundings more.
          const double tolerance = (testing::SumTolerance(512) + 4) * testing::kEpsilon * expected;
          EXPECT_NEAR(decay[b], expected, tolerance) << bits << " bits, " << elements << " elements, plane " << b;
          EXPECT_EQ(decay[bits + b], decay[b]);
          penalty += weight * std::sqrt(squares);
        }
        EXPECT_NEAR(ToHost<float>(context, lasso.penalty)[0], penalty,
                    (testing::SumTolerance(512) + 4) * testing::kEpsilon * penalty);
      }
    }
  }
}

TEST(BsqGroupLasso, DecayTimesPlaneIsThePenaltysSlope) {
  testing::TestContext context;
  const int bits = 2;
  const int64_t elements = 50;
  const auto planes = RandomPlanes(2 * bits, elements, 61), direction = RandomValues(2 * bits * elements, 62);
  const auto penalty = [&](double distance) {
    double sum = 0;
    for (int b = 0; b < bits; ++b) {
      double squares = 0;
      for (const int row : {b, bits + b}) {
        for (int64_t i = row * elements; i < (row + 1) * elements; ++i) {
          squares += std::pow(planes[i] + distance * direction[i], 2);
        }
      }
      sum += 3 * BsqPlaneNorm(squares);
    }
    return sum;
  };
  const auto decay =
      ToHost<float>(context, BsqGroupLasso(context, FromHost(context, planes, {2 * bits, elements}), bits, 3).decay);
  double slope = 0;
  for (int64_t i = 0; i < 2 * bits * elements; ++i) slope += double{decay[i / elements]} * planes[i] * direction[i];
  EXPECT_NEAR(slope, (penalty(1e-5) - penalty(-1e-5)) / 2e-5, 1e-5 * std::fabs(slope) + 1e-5);
}

TEST(BsqGroupLasso, UnalignedPlanesHaveTheSameBits) {
  testing::TestContext context;
  for (const int64_t elements : {int64_t{4100}, int64_t{40000}}) {
    auto planes = RandomPlanes(6, elements, 71);
    const Tensor aligned = FromHost(context, planes, {6, elements});
    planes.insert(planes.begin(), 0.0f);
    const Tensor whole = FromHost(context, planes, {6 * elements + 1});
    const Tensor shifted = ReshapeView(SliceView(whole, 0, 1, 6 * elements + 1), {6, elements});
    const BsqLasso a = BsqGroupLasso(context, aligned, 3, 1.5), b = BsqGroupLasso(context, shifted, 3, 1.5);
    EXPECT_EQ(ToHost<float>(context, a.penalty), ToHost<float>(context, b.penalty));
    EXPECT_EQ(ToHost<float>(context, a.decay), ToHost<float>(context, b.decay));
  }
}

TEST(BsqGroupLasso, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  const Tensor planes = Zeros(context, {6, 10});
  ExpectInvalid([&] { BsqGroupLasso(context, planes, 4, 1); }, {"bsq_group_lasso", "8 rows", "[6, 10]"});
  ExpectInvalid([&] { BsqGroupLasso(context, planes, 3, -1); }, {"weight", "-1"});
  ExpectInvalid([&] { BsqGroupLasso(context, planes, 3, NAN); }, {"weight", "nan"});
  ExpectInvalid([&] { BsqGroupLasso(context, {}, 3, 1); }, {"planes"});
}

}  // namespace
}  // namespace bitgate
