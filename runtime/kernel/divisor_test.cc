#include "runtime/kernel/divisor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

namespace bitgate {
namespace {

uint32_t BitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

// The x with 24 bits for which x / d is nearest to the middle of two floats: 2^shift x - h d = distance, h odd and of
// 25 bits; shift is 24 for x >= d and 25 below. Those of |distance| <= 6 are all that could be rounded wrongly.
template <class Body>
void ForHardNumerators(uint32_t d, const Body& body) {
  uint32_t odd = d, zeros = 0;
  while (odd % 2 == 0) odd /= 2, ++zeros;
  uint32_t inverse = odd;  // modulo 2^32, by Newton's iteration
  for (int i = 0; i < 5; ++i) inverse *= 2 - odd * inverse;
  for (const int shift : {24, 25}) {
    const int64_t step = int64_t{1} << (shift - static_cast<int>(zeros));
    for (int64_t k = -5; k <= 5; k += 2) {
      const int64_t distance = k * (int64_t{1} << zeros);
      if (distance < -6 || distance > 6) continue;
      int64_t h = static_cast<uint32_t>(-k) * inverse % step;
      while (h < 1 << 24) h += step;
      for (; h < 1 << 25; h += step) {
        const int64_t x = (h * d + distance) >> shift;
        if (x >= 1 << 23 && x < 1 << 24) body(static_cast<float>(x));
      }
    }
  }
}

TEST(Divisor, EveryDivisorsHardestQuotientsAreRoundedRight) {
  int64_t tried = 0, wrong = 0;
  for (uint32_t d = 1u << 23; d < 1u << 24; ++d) {
    const Divisor divisor = Divisor::Of(static_cast<float>(d));
    ForHardNumerators(d, [&](float x) {
      ++tried;
      wrong += x / divisor != x / divisor.value;
    });
  }
  EXPECT_GT(tried, int64_t{1} << 25);
  EXPECT_EQ(wrong, 0);
}

const std::vector<float>& Divisors() {
  static const auto* const divisors = [] {
    auto* values = new std::vector<float>{1.0f, 3.0f, 0.1f, 0x1.fffffep0f, Divisor::kMin, Divisor::kMax};
    std::mt19937 random(1);
    std::uniform_real_distribution<float> mantissa(1, 2), exponent(-95, 95);
    for (int i = 0; i < 6; ++i) values->push_back(std::ldexp(mantissa(random), static_cast<int>(exponent(random))));
    return values;
  }();
  return *divisors;
}

TEST(Divisor, AllMantissasAtSomeScales) {
  for (const float d : Divisors()) {
    const Divisor divisor = Divisor::Of(d);
    const int exponent = std::ilogb(d);
    int64_t wrong = 0;
    for (uint32_t mantissa = 1u << 23; mantissa < 1u << 24; mantissa += 5) {
      for (const int power : {-3, 0, 17}) {
        const float x = std::ldexp(static_cast<float>(mantissa), exponent + power - 23);
        wrong += BitsOf(x / divisor) != BitsOf(x / d);
        wrong += BitsOf(-x / divisor) != BitsOf(-x / d);
      }
    }
    EXPECT_EQ(wrong, 0) << d;
  }
}

TEST(Divisor, SmallQuotientsRoundToTheirZero) {
  std::mt19937 random(2);
  for (const float d : Divisors()) {
    const Divisor divisor = Divisor::Of(d);
    std::vector<float> numerators = {0.0f, 0x1p-149f, 0x1p-148f, 0x1.8p-148f, 0x1p-126f, 0x1.fffffep-127f};
    for (int i = 0; i < 200000; ++i) {  // every exponent below d / 16
      const uint32_t bits = random() % (BitsOf(d * 0x1p-4f) + 1);
      float x;
      std::memcpy(&x, &bits, sizeof(x));
      numerators.push_back(x);
    }
    for (const float x : numerators) {
      if (x > d * 0x1p-4f) continue;
      ASSERT_EQ(BitsOf(std::rint(x / divisor)), BitsOf(std::rint(x / d))) << x << " / " << d;
      ASSERT_EQ(BitsOf(std::rint(-x / divisor)), BitsOf(std::rint(-x / d))) << -x << " / " << d;
    }
  }
}

TEST(Divisor, IntegersOverIntegers) {
  int64_t wrong = 0;
  for (int d = 1; d <= 1 << 16; d < 256 ? ++d : d += 1021) {
    const Divisor divisor = Divisor::Of(static_cast<float>(d));
    for (int x = 0; x <= 1 << 16; ++x) {
      const auto value = static_cast<float>(x);
      wrong += BitsOf(value / divisor) != BitsOf(value / divisor.value);
    }
  }
  for (int bits = 1; bits <= 16; ++bits) {
    const Divisor levels = Divisor::Of(static_cast<float>((1 << bits) - 1));
    for (int x = 0; x < 1 << bits; ++x) {
      const auto value = static_cast<float>(x);
      wrong += BitsOf(value / levels) != BitsOf(value / levels.value);
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(Divisor, NaNStays) { EXPECT_TRUE(std::isnan(NAN / Divisor::Of(3.0f))); }

}  // namespace
}  // namespace bitgate
