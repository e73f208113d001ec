#include "ops/quant/noise/noise.h"

#include "ops/op_testing.h"
#include "ops/quant/noise/noise_kernels.h"

namespace bitgate {
namespace {

using testing::BitsOf;

TEST(UniformNoise, SameBitsOfKeyAndIndexOnEveryDevice) {
  testing::TestContext context;
  const RandomKey key{7, 3, 11};
  for (const int64_t size : {1, 3, 4, 1023, 1024, 1025, 20000}) {
    const auto all = ToHost<float>(context, UniformNoise(context, key, size));
    ASSERT_EQ(all.size(), static_cast<size_t>(size));
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], Uniform(key, i)) << i << " of " << size;
  }
  const auto next = ToHost<float>(context, UniformNoise(context, {7, 3, 12}, 4));
  EXPECT_NE(next[0], Uniform(key, 0));
  EXPECT_EQ(UniformNoise(context, key, 0).size(), 0);
}

TEST(UniformNoise, ReadsSeedAndStepWhereTheyLie) {
  testing::TestContext context;
  const RandomKey key{0xFEDCBA9876543210u, 5, 0x89ABCDEF01234567u};
  const auto words = KeyWords(key);
  StepKey step_key(RandomKey{1, 2, 3}, FromHost<int32_t>(context, {words.begin(), words.end()}, {4}));
  const auto expected = BitsOf(ToHost<float>(context, UniformNoise(context, key, 100)));
  EXPECT_EQ(BitsOf(ToHost<float>(context, UniformNoise(context, step_key, 5, 100))), expected);
  // What the words are when the noise is drawn counts.
  const auto others = KeyWords({1, 2, 3});
  CopyInto(context, step_key.words, FromHost<int32_t>(context, {others.begin(), others.end()}, {4}));
  EXPECT_EQ(BitsOf(ToHost<float>(context, UniformNoise(context, step_key, 2, 100))),
            BitsOf(ToHost<float>(context, UniformNoise(context, {1, 2, 3}, 100))));
}

TEST(UniformNoise, ACapturedStepDrawsAnewWithEachKey) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "this device captures nothing";
  const StepKey key({}, Zeros(context, {4}, DType::kInt32));
  const Tensor noise = Zeros(context, {1000});
  const auto work = [&] { CopyInto(context, noise, UniformNoise(context, key, 5, 1000)); };
  work();
  const auto captured = context.backend().Capture(work);
  for (const uint64_t step : {1, 2}) {
    const auto words = KeyWords({9, 0, step});
    CopyInto(context, key.words, FromHost<int32_t>(context, {words.begin(), words.end()}, {4}));
    captured->Replay();
    EXPECT_EQ(BitsOf(ToHost<float>(context, noise)),
              BitsOf(ToHost<float>(context, UniformNoise(context, {9, 5, step}, 1000))));
  }
}

TEST(UniformNoise, TakesTheKeysValueWithoutWords) {
  testing::TestContext context;
  EXPECT_EQ(ToHost<float>(context, UniformNoise(context, StepKey(RandomKey{7, 3, 11}), 9, 50)),
            ToHost<float>(context, UniformNoise(context, {7, 9, 11}, 50)));
}

TEST(UniformNoise, RejectsWordsThatAreNone) {
  testing::TestContext context;
  testing::ExpectInvalid([&] { UniformNoise(context, StepKey({}, Zeros(context, {4})), 0, 1); },
                         {"uniform_noise: expected key words of dtype int32, got float32"});
  testing::ExpectInvalid([&] { UniformNoise(context, StepKey({}, Zeros(context, {3}, DType::kInt32)), 0, 1); },
                         {"uniform_noise: expected key words of shape [4], got [3]"});
}

TEST(StepKey, WordsHoldSeedAndStep) {
  const RandomKey key{0xFEDCBA9876543210u, 5, 0x89ABCDEF01234567u};
  const RandomKey back = KeyFromWords(KeyWords(key).data(), 6);
  EXPECT_EQ(back.seed, key.seed);
  EXPECT_EQ(back.step, key.step);
  EXPECT_EQ(back.stream, 6u);
  EXPECT_EQ(KeyWords(key)[0], 0x76543210);
  EXPECT_EQ(KeyWords(key)[3], static_cast<int32_t>(0x89ABCDEFu));
}

}  // namespace
}  // namespace bitgate
