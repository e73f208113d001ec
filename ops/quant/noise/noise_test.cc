#include "ops/quant/noise/noise.h"

#include <gtest/gtest.h>

#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

TEST(UniformNoise, IsAPureFunctionOfKeyAndIndex) {
  Context context;
  const RandomKey key{7, 3, 11};
  const auto all = ToHost<float>(context, UniformNoise(context, key, 20000));
  for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(all[i], Uniform(key, i));
  const auto next = ToHost<float>(context, UniformNoise(context, {7, 3, 12}, 4));
  EXPECT_NE(next[0], all[0]);
  EXPECT_EQ(UniformNoise(context, key, 0).size(), 0);
}

}  // namespace
}  // namespace bitgate
