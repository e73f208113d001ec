#include "ops/quant/bsq/bsq_activation.h"

#include <cmath>

#include "ops/op_testing.h"
#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_math.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::RandomValues;

Tensor One(Context& context, float value) { return FromHost<float>(context, {value}, {1}); }

TEST(BsqActivation, IsTheNearestOfTheStepsUpToTheLargest) {
  testing::TestContext context;
  for (const float alpha : {0.0f, 2.2f, 50.0f}) {  // 0: none, ReLU6
    for (const int bits : {1, 3, 4, 8, 16}) {
      for (const int64_t size : testing::InterestingSizes()) {
        const auto x = RandomValues(size, 3, -5, 9);
        const Tensor given = FromHost(context, x, {size});
        const auto y = ToHost<float>(
            context, BsqActivation(context, given, alpha == 0 ? Tensor() : One(context, alpha), {}, bits));
        const double bound = alpha == 0 ? 6.0f : alpha, levels = (1 << bits) - 1;
        double largest = 0;
        for (const float value : x) largest = std::fmax(largest, std::fmin(value, bound));
        for (int64_t i = 0; i < size; ++i) {
          const double code = std::fmin(std::fmax(x[i], 0.0), bound) * levels / largest;
          // Three roundings before the code's own, within which it may be a tie; three after.
          const double tie = std::fabs(std::fabs(code - std::floor(code)) - 0.5);
          if (largest == 0 || tie < 4 * testing::kEpsilon * levels) continue;
          const double expected = largest * std::rint(code) / levels;
          ASSERT_NEAR(y[i], expected, 2 * testing::kEpsilon * expected) << x[i] << ", " << bits << " bits";
        }
      }
    }
  }
}

TEST(BsqActivation, AGivenLargestSaturatesWhatIsBeyond) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {-1, 0, 1, 2.6f, 3, 5, 100}, {7});
  const Tensor y = BsqActivation(context, x, {}, One(context, 3), 2);
  EXPECT_EQ(ToHost<float>(context, y), (std::vector<float>{0, 0, 1, 3, 3, 3, 3}));
}

TEST(BsqActivation, IsZeroWhereTheLargestIs) {
  testing::TestContext context;
  const std::vector<float> x = {-1, -3, 0, -0.0f, -INFINITY};
  const Tensor given = FromHost(context, x, {5});
  for (const float alpha : {3.0f, 0.0f, -1.0f}) {
    for (const float value : ToHost<float>(context, BsqActivation(context, given, One(context, alpha), {}, 4))) {
      EXPECT_EQ(value, 0.0f);
    }
  }
  const Tensor positive = FromHost<float>(context, {1, 2, 3}, {3});
  EXPECT_EQ(ToHost<float>(context, BsqActivation(context, positive, {}, One(context, 0), 4)),
            (std::vector<float>{0, 0, 0}));
  EXPECT_EQ(BsqActivation(context, Zeros(context, {0, 4}), {}, {}, 4).shape(), (Shape{0, 4}));
}

TEST(BsqActivation, GradientsFollowTheStraightThroughDefinition) {
  testing::TestContext context;
  for (const float alpha : {0.0f, 2.25f}) {
    for (const int64_t size : testing::InterestingSizes()) {
      auto x = RandomValues(size, 5, -3, 9);
      const float bound = alpha == 0 ? 6.0f : alpha;
      for (int64_t i = 0; i + 3 < size; i += 9) x[i] = 0, x[i + 1] = bound, x[i + 2] = -0.0f;
      const auto grad = RandomValues(size, 6);
      const auto results = testing::RunWithGradients(
          context, [](Context& c, const std::vector<Tensor>& in) { return BsqActivation(c, in[0], in[1], in[2], 4); },
          {FromHost(context, x, {size}), alpha == 0 ? Tensor() : One(context, alpha), One(context, 2)},
          FromHost(context, grad, {size}));
      const auto grad_x = ToHost<float>(context, results[1]);
      double grad_alpha = 0, magnitude = 0;
      for (int64_t i = 0; i < size; ++i) {
        ASSERT_EQ(grad_x[i], x[i] > 0 && x[i] < bound ? grad[i] : 0.0f) << x[i];
        if (x[i] >= bound) grad_alpha += grad[i], magnitude += std::fabs(grad[i]);
      }
      EXPECT_FALSE(results[3].defined()) << "the largest is a constant";
      if (alpha == 0) continue;
      // 16 float lanes of at most 512 terms, or threads' sums of 64, then double.
      EXPECT_NEAR(ToHost<float>(context, results[2])[0], grad_alpha,
                  testing::SumTolerance(512) * testing::kEpsilon * magnitude);
    }
  }
}

TEST(BsqLargest, IsTheLargestOfWhatTheClipLeaves) {
  testing::TestContext context;
  const auto largest = [&](const std::vector<float>& x, const Tensor& alpha) {
    return ToHost<float>(context, BsqLargest(context, FromHost(context, x, {static_cast<int64_t>(x.size())}), alpha));
  };
  EXPECT_EQ(largest({1, 4.5f, -9}, {}), std::vector<float>{4.5f});
  EXPECT_EQ(largest({1, 44.5f, -9}, {}), std::vector<float>{6});
  EXPECT_EQ(largest({1, 44.5f, -9}, One(context, 10)), std::vector<float>{10});
  EXPECT_EQ(largest({-1, -2}, {}), std::vector<float>{0});
  EXPECT_EQ(largest({}, {}), std::vector<float>{0});
  EXPECT_EQ(largest({NAN, 2, NAN}, {}), std::vector<float>{2});
  EXPECT_EQ(largest({INFINITY, 2}, {}), std::vector<float>{6});
  for (const int64_t size : {int64_t{1}, int64_t{17}, int64_t{4097}, int64_t{40000}, int64_t{1100003}}) {
    auto x = RandomValues(size, 8, -3, 3);
    for (const int64_t at : {int64_t{0}, size / 2, size - 1}) {
      const float before = x[at];
      x[at] = 5;
      EXPECT_EQ(largest(x, {}), std::vector<float>{5}) << size << " at " << at;
      x[at] = before;
    }
  }
}

TEST(BsqActivation, SameBitsOnEveryInstructionSet) {
  Context context;
  for (const int64_t size : testing::InterestingSizes()) {
    const Tensor x = RandomTensor(context, {size}, 11, -3, 7), grad = RandomTensor(context, {size}, 12);
    const Tensor alpha = One(context, 5.5f);
    std::vector<std::vector<uint32_t>> expected;
    for (const Isa isa : testing::IsasToTest()) {
      const Tensor largest = Empty(context, {1}), y = Empty(context, {size}), grad_x = Empty(context, {size});
      const Tensor grad_alpha = Empty(context, {1});
      const BsqActivationInputs in{x.view(), alpha.view(), size};
      BG_KERNEL_OF(isa, BsqLargest)(context.kernel(), largest.view(), in);
      BG_KERNEL_OF(isa, BsqActivationForward)(context.kernel(), y.view(), in, largest.view(), 5);
      BG_KERNEL_OF(isa, BsqActivationBackward)
      (context.kernel(), grad_x.view(), grad_alpha.view(), grad.view(), in);
      std::vector<std::vector<uint32_t>> actual;
      for (const Tensor& result : {largest, y, grad_x, grad_alpha}) {
        actual.push_back(BitsOf(ToHost<float>(context, result)));
      }
      if (isa == Isa::kScalar) expected = actual;
      EXPECT_EQ(actual, expected) << IsaName(isa) << ", " << size;
    }
  }
}

// Divisors do not cover all ranges.
TEST(BsqActivation, SameBitsOnEveryInstructionSetInAnyRange) {
  Context context;
  std::vector<float> values = RandomValues(4096, 13, -1, 7);
  for (size_t i = 0; i < values.size(); ++i) values[i] = std::ldexp(values[i], static_cast<int>(i % 240) - 120);
  for (const float value : {INFINITY, -INFINITY, NAN, 1e-42f, -0.0f}) values.push_back(value);
  const auto size = static_cast<int64_t>(values.size());
  const Tensor x = FromHost(context, values, {size}), y = Empty(context, {size});
  for (const float bound : {5.5f, 1e-30f, 1e11f, 1e30f, -1e25f, -3e38f}) {
    for (const float most : {0.0f, 1e-30f, 1e-17f, 2.5f, 3e28f, 1e30f}) {
      for (const int bits : {1, 4, 16}) {
        const Tensor alpha = One(context, bound), largest = One(context, most);
        std::vector<uint32_t> expected;
        for (const Isa isa : testing::IsasToTest()) {
          BG_KERNEL_OF(isa, BsqActivationForward)
          (context.kernel(), y.view(), {x.view(), alpha.view(), size}, largest.view(), bits);
          const auto actual = BitsOf(ToHost<float>(context, y));
          if (isa == Isa::kScalar) expected = actual;
          EXPECT_EQ(actual, expected) << IsaName(isa) << ", " << bound << ", " << most << ", " << bits << " bits";
        }
      }
    }
  }
}

std::vector<std::vector<float>> ResultsOn(Context& context, const std::vector<float>& x, const std::vector<float>& grad,
                                          float alpha, int bits, int64_t offset) {
  const int64_t size = static_cast<int64_t>(x.size());
  const auto shifted = [&](const std::vector<float>& values) {
    std::vector<float> moved(values.size() + offset);
    std::copy(values.begin(), values.end(), moved.begin() + offset);
    return SliceView(FromHost(context, moved, {size + offset}), 0, offset, offset + size);
  };
  const auto results = testing::RunWithGradients(
      context, [=](Context& c, const std::vector<Tensor>& in) { return BsqActivation(c, in[0], in[1], {}, bits); },
      {shifted(x), One(context, alpha)}, shifted(grad));
  std::vector<std::vector<float>> values;
  for (const Tensor& result : results) values.push_back(ToHost<float>(context, result));
  return values;
}

TEST(BsqActivation, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  for (const int64_t size : {1, 255, 1024, 4097, 70001}) {
    auto x = RandomValues(size, 21, -3, 7);
    const float specials[] = {0.0f, -0.0f, INFINITY, -INFINITY, 0x1p-149f, 3e38f, 5.5f};
    for (size_t i = 0; i < std::size(specials) && 5 * i < x.size(); ++i) x[5 * i] = specials[i];
    const auto grad = RandomValues(size, 22);
    for (const int bits : {2, 8, 16}) {
      const auto expected = ResultsOn(cpu, x, grad, 5.5f, bits, 0);
      const auto actual = ResultsOn(context, x, grad, 5.5f, bits, 0);
      for (const int k : {0, 1}) ASSERT_EQ(BitsOf(actual[k]), BitsOf(expected[k])) << size << ", " << bits << " bits";
      double magnitude = 0;
      for (const float g : grad) magnitude += std::fabs(g);
      EXPECT_NEAR(actual[2][0], expected[2][0], testing::SumTolerance(512) * testing::kEpsilon * magnitude);
      EXPECT_EQ(ResultsOn(context, x, grad, 5.5f, bits, 1), actual) << "results depend on the sizes alone";
    }
  }
}

TEST(BsqLargest, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  for (const int64_t size : testing::InterestingSizes()) {
    for (const uint32_t seed : {31u, 32u, 33u}) {
      const auto x = RandomValues(size, seed, -3, 5);
      const auto expected = ToHost<float>(cpu, BsqLargest(cpu, FromHost(cpu, x, {size}), {}));
      EXPECT_EQ(BitsOf(ToHost<float>(context, BsqLargest(context, FromHost(context, x, {size}), {}))),
                BitsOf(expected));
    }
  }
}

TEST(BsqActivation, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3}), one = Zeros(context, {1});
  ExpectInvalid([&] { BsqActivation(context, {}, one, {}, 4); }, {"bsq_activation", "x"});
  ExpectInvalid([&] { BsqActivation(context, x, x, {}, 4); }, {"alpha"});
  ExpectInvalid([&] { BsqActivation(context, x, {}, x, 4); }, {"largest"});
  ExpectInvalid([&] { BsqActivation(context, x, {}, {}, 0); }, {"1 to 16 bits", "0"});
  ExpectInvalid([&] { BsqActivation(context, x, {}, {}, 17); }, {"17"});
  ExpectInvalid([&] { BsqLargest(context, Zeros(context, {2}, DType::kInt32), {}); }, {"bsq_largest", "x"});
  ExpectInvalid([&] { BsqLargest(context, x, x); }, {"alpha"});
}

}  // namespace
}  // namespace bitgate
