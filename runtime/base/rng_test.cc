#include "runtime/base/rng.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// The counter (index, stream, step low, step high) and the key (seed low, seed high) of a known answer.
PhiloxBlock Block(uint32_t c0, uint32_t c1, uint32_t c2, uint32_t c3, uint32_t k0, uint32_t k1) {
  return Philox(RandomKey{uint64_t{k1} << 32 | k0, c1, uint64_t{c3} << 32 | c2}, c0);
}

void ExpectWords(const PhiloxBlock& got, uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3) {
  EXPECT_EQ(got.word[0], w0);
  EXPECT_EQ(got.word[1], w1);
  EXPECT_EQ(got.word[2], w2);
  EXPECT_EQ(got.word[3], w3);
}

// The philox4x32-10 lines of Random123's published kat_vectors.
TEST(PhiloxTest, GivesTheKnownAnswers) {
  ExpectWords(Block(0, 0, 0, 0, 0, 0), 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8);
  ExpectWords(Block(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff), 0x408f276d, 0x41c83b0e,
              0xa20bc7c6, 0x6d5451fd);
  ExpectWords(Block(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0), 0xd16cfe09, 0x94fdcceb,
              0x5001e420, 0x24126ea1);
}

TEST(PhiloxTest, EveryPartOfTheKeyMatters) {
  const RandomKey keys[] = {
      {1, 2, 3}, {2, 2, 3}, {1, 3, 3}, {1, 2, 4}, {1 + (uint64_t{1} << 32), 2, 3}, {1, 2, 3 + (uint64_t{1} << 32)}};
  std::set<uint32_t> words;
  for (const RandomKey& key : keys) {
    words.insert(Philox(key, 0).word[0]);
    words.insert(Philox(key, 1).word[0]);
  }
  EXPECT_EQ(words.size(), 12u);
}

TEST(UniformTest, EndsAreExact) {
  EXPECT_EQ(UnitInterval(0), 0x1p-24f);
  EXPECT_EQ(UnitInterval(0xffffffffu), 1.0f - 0x1p-24f);
  EXPECT_LT(UnitInterval(0xffffffffu), 1.0f);
}

// All 2^23 values: distinct, each 2^-23 from the next, symmetric about 1/2 without rounding.
TEST(UniformTest, ValuesAreExactlyEvenlySpaced) {
  float previous = -0x1p-24f;
  for (uint64_t word = 0; word < (uint64_t{1} << 32); word += 512) {
    const float value = UnitInterval(static_cast<uint32_t>(word));
    ASSERT_EQ(value - previous, 0x1p-23f) << word;
    ASSERT_EQ(1.0f - value, UnitInterval(~static_cast<uint32_t>(word))) << word;
    previous = value;
  }
}

TEST(UniformTest, TakesTheWordsOfABlockInOrder) {
  const RandomKey key{7, 8, 9};
  for (uint64_t index = 0; index < 64; ++index) {
    const PhiloxBlock block = Philox(key, static_cast<uint32_t>(index / 4));
    EXPECT_EQ(Uniform(key, index), UnitInterval(block.word[index % 4])) << index;
  }
  const uint64_t far = (uint64_t{1} << 34) - 1;
  EXPECT_EQ(Uniform(key, far), UnitInterval(Philox(key, 0xffffffffu).word[3]));
}

TEST(UniformTest, HasTheMomentsOfTheUniformDistribution) {
  constexpr int kCount = 1 << 18;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = Uniform(RandomKey{1, 0, 0}, i);
    sum += value;
    squares += value * value;
  }
  // Five standard deviations: sqrt(1/12 / n) and sqrt(4/45 / n).
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12 / kCount));
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt(4.0 / 45 / kCount));
}

std::vector<int32_t> Permuted(const RandomKey& key, int64_t n) {
  std::vector<int32_t> order(3, 99);  // what was there before is replaced
  Permutation(key, n, &order);
  return order;
}

TEST(PermutationTest, ContainsEveryIndexOnce) {
  for (int64_t n : {0, 1, 2, 3, 1000, 60000}) {
    std::vector<int32_t> order = Permuted(RandomKey{3, 1, 4}, n);
    ASSERT_EQ(static_cast<int64_t>(order.size()), n);
    std::sort(order.begin(), order.end());
    for (int64_t i = 0; i < n; ++i) ASSERT_EQ(order[i], i);
  }
}

TEST(PermutationTest, IsAFunctionOfTheKey) {
  EXPECT_EQ(Permuted(RandomKey{1, 2, 3}, 100), Permuted(RandomKey{1, 2, 3}, 100));
  EXPECT_NE(Permuted(RandomKey{1, 2, 3}, 100), Permuted(RandomKey{1, 2, 4}, 100));
  EXPECT_NE(Permuted(RandomKey{1, 2, 3}, 100), Permuted(RandomKey{1, 3, 3}, 100));
}

// Checkpoints resume in the middle of an epoch: these bytes must never change.
TEST(PermutationTest, KnownOrder) {
  EXPECT_EQ(Permuted(RandomKey{2026, 1, 0}, 10), (std::vector<int32_t>{1, 6, 9, 5, 3, 4, 8, 2, 0, 7}));
}

TEST(PermutationTest, OrdersAreEquallyLikely) {
  constexpr int kDraws = 24000;
  std::map<std::vector<int32_t>, int> counts;
  for (uint64_t step = 0; step < kDraws; ++step) ++counts[Permuted(RandomKey{5, 0, step}, 4)];
  ASSERT_EQ(counts.size(), 24u);
  double chi_squared = 0;
  for (const auto& [order, count] : counts) chi_squared += (count - 1000.0) * (count - 1000.0) / 1000.0;
  EXPECT_LT(chi_squared, 49.7);  // 23 degrees of freedom, 0.1 %
}

TEST(PermutationTest, RejectsLengthsThatAreNone) {
  std::vector<int32_t> order;
  for (int64_t n : {int64_t{-1}, int64_t{1} << 31}) {
    try {
      Permutation(RandomKey{}, n, &order);
      FAIL() << n;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(std::string(error.what()),
                "Permutation: expected a length from 0 to 2147483647, got " + std::to_string(n));
    }
  }
}

}  // namespace
}  // namespace bitgate
