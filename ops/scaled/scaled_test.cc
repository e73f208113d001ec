#include "ops/scaled/scaled.h"

#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;

TEST(Scaled, IsTheProduct) {
  testing::TestContext context;
  const Tensor factor = FromHost<float>(context, {-0.3f}, {1});
  for (const int64_t size : testing::InterestingSizes()) {
    const auto x = testing::RandomValues(size, 1);
    std::vector<float> expected(x);
    for (float& value : expected) value *= -0.3f;
    const Tensor y = Scaled(context, "test", FromHost(context, x, {size}), factor);
    EXPECT_EQ(BitsOf(ToHost<float>(context, y)), BitsOf(expected)) << size;
  }
}

TEST(Scaled, TakesViewsAndScalars) {
  testing::TestContext context;
  const auto x = testing::RandomValues(1001, 2);
  const Tensor all = FromHost(context, x, {1001});
  const Tensor y = Scaled(context, "test", SliceView(all, 0, 1, 1001), FromHost<float>(context, {1.0f}, {}));
  EXPECT_EQ(BitsOf(ToHost<float>(context, y)), BitsOf({x.begin() + 1, x.end()}));
}

TEST(Scaled, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {3});
  ExpectInvalid([&] { Scaled(context, "loss backward", x, Zeros(context, {2})); },
                {"loss backward: expected a factor of one element, got shape [2]"});
  ExpectInvalid([&] { Scaled(context, "loss backward", x, Tensor()); },
                {"loss backward: expected factor to be defined"});
}

}  // namespace
}  // namespace bitgate
