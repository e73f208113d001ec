#include "runtime/base/math.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "gtest/gtest.h"

namespace bitgate {
namespace {

template <class T>
class MathTest : public ::testing::Test {
 public:
  static constexpr T kNan = std::numeric_limits<T>::quiet_NaN();
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();
  static constexpr T kEpsilon = std::numeric_limits<T>::epsilon();
};
using Types = ::testing::Types<float, double>;
TYPED_TEST_SUITE(MathTest, Types);

TYPED_TEST(MathTest, RintTakesTiesToEven) {
  using T = TypeParam;
  const T cases[][2] = {{T(0.5), 0},   {T(1.5), 2},  {T(2.5), 2},  {T(-0.5), 0}, {T(-1.5), -2},
                        {T(-2.5), -2}, {T(0.49), 0}, {T(0.51), 1}, {T(7), 7},    {T(8388609), T(8388609)}};
  for (const auto& pair : cases) EXPECT_EQ(Rint(pair[0]), pair[1]) << pair[0];
  EXPECT_TRUE(std::signbit(Rint(T(-0.25))));
  EXPECT_EQ(Rint(this->kInfinity), this->kInfinity);
  EXPECT_TRUE(std::isnan(Rint(this->kNan)));
}

TYPED_TEST(MathTest, FloorGoesDown) {
  using T = TypeParam;
  EXPECT_EQ(Floor(T(-0.5)), T(-1));
  EXPECT_EQ(Floor(T(1.99)), T(1));
}

TYPED_TEST(MathTest, MinAndMaxReturnTheFirstOfUnorderedOrEqual) {
  using T = TypeParam;
  EXPECT_EQ(Min(T(1), T(2)), T(1));
  EXPECT_EQ(Min(T(2), T(1)), T(1));
  EXPECT_EQ(Max(T(1), T(2)), T(2));
  EXPECT_EQ(Max(T(2), T(1)), T(2));
  EXPECT_TRUE(std::isnan(Min(this->kNan, T(1))));
  EXPECT_TRUE(std::isnan(Max(this->kNan, T(1))));
  EXPECT_EQ(Min(T(1), this->kNan), T(1));
  EXPECT_EQ(Max(T(1), this->kNan), T(1));
  EXPECT_FALSE(std::signbit(Min(T(0), -T(0))));
  EXPECT_TRUE(std::signbit(Max(-T(0), T(0))));
}

TYPED_TEST(MathTest, ClampKeepsNan) {
  using T = TypeParam;
  EXPECT_EQ(Clamp(T(5), T(-1), T(1)), T(1));
  EXPECT_EQ(Clamp(T(-5), T(-1), T(1)), T(-1));
  EXPECT_EQ(Clamp(T(0.5), T(-1), T(1)), T(0.5));
  EXPECT_EQ(Clamp(this->kInfinity, T(-1), T(1)), T(1));
  EXPECT_EQ(Clamp(T(0), T(2), T(1)), T(1));
  EXPECT_TRUE(std::isnan(Clamp(this->kNan, T(-1), T(1))));
}

TYPED_TEST(MathTest, FmaRoundsOnce) {
  using T = TypeParam;
  const T x = T(1) + this->kEpsilon;
  // x * x = 1 + 2 eps + eps^2, whose last term a rounded product loses.
  EXPECT_EQ(Fma(x, x, -(T(1) + 2 * this->kEpsilon)), this->kEpsilon * this->kEpsilon);
}

TYPED_TEST(MathTest, SelectAndAbs) {
  using T = TypeParam;
  EXPECT_EQ(Select(true, T(1), T(2)), T(1));
  EXPECT_EQ(Select(false, T(1), T(2)), T(2));
  EXPECT_EQ(Abs(T(-3)), T(3));
  EXPECT_FALSE(std::signbit(Abs(-T(0))));
}

TYPED_TEST(MathTest, TranscendentalsAgreeWithLongDouble) {
  using T = TypeParam;
  const long double tolerance = 4 * this->kEpsilon;  // glibc promises 1-2 units
  for (T x : {T(0.001), T(0.5), T(1), T(2.75), T(20)}) {
    const long double exact = x;
    EXPECT_NEAR(Exp(x) / std::exp(exact), 1, tolerance) << x;
    EXPECT_NEAR(Log(x) - std::log(exact), 0, tolerance * std::fabs(std::log(exact))) << x;
    EXPECT_NEAR(Sqrt(x) / std::sqrt(exact), 1, this->kEpsilon / 2) << x;
    EXPECT_NEAR(Tanh(x) / std::tanh(exact), 1, tolerance) << x;
  }
}

// The relative error of both tails: exp 2 units, the sum and the quotient half a unit each, rounded up.
TYPED_TEST(MathTest, SigmoidIsAccurateInBothTails) {
  using T = TypeParam;
  const long double tolerance = 4 * this->kEpsilon;
  for (T x = T(-80); x <= T(80); x += T(0.37)) {
    const long double exact = 1 / (1 + std::exp(-static_cast<long double>(x)));
    EXPECT_NEAR(Sigmoid(x) / exact, 1, tolerance) << x;
  }
  EXPECT_EQ(Sigmoid(T(0)), T(0.5));
}

TYPED_TEST(MathTest, SigmoidIsSafeAtTheEnds) {
  using T = TypeParam;
  const T largest = std::numeric_limits<T>::max();
  EXPECT_EQ(Sigmoid(largest), T(1));
  EXPECT_EQ(Sigmoid(-largest), T(0));
  EXPECT_EQ(Sigmoid(this->kInfinity), T(1));
  EXPECT_EQ(Sigmoid(-this->kInfinity), T(0));
  EXPECT_TRUE(std::isnan(Sigmoid(this->kNan)));
  // Still a positive number where 1 + exp(-x) has long overflowed in a naive form.
  EXPECT_GT(Sigmoid(std::log(std::numeric_limits<T>::min())), T(0));
}

}  // namespace
}  // namespace bitgate
