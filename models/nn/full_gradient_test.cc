#include "models/nn/full_gradient.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "ops/optim/optim.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr float kIdle = 9;  // in a row that takes no part

// Four rows of [2, 1], three of which take part; small integers, so that every order of sums is exact.
class FullGradientTest : public ::testing::Test {
 protected:
  FullGradientTest() {
    parameter_.value = FromHost<float>(context_, {1, 2, 3, 4, 5, 6, kIdle, kIdle}, {4, 2, 1});
    parameter_.gain = FromHost<float>(context_, {4, -2, 1}, {3});
    parameter_.decay = FromHost<float>(context_, {1, 0, -3}, {3});
  }
  std::vector<float> Full(const Tensor& row_gradient, const Tensor& penalty_gradient) {
    const Tensor full = FullGradient(context_, parameter_, row_gradient, penalty_gradient);
    EXPECT_EQ(full.shape(), parameter_.value.shape());
    return ToHost<float>(context_, full);
  }

  testing::TestContext context_;
  Parameter parameter_;
  const Tensor row_ = FromHost<float>(context_, {10, -20}, {2, 1}), penalty_ = FromHost<float>(context_, {2}, {});
};

TEST_F(FullGradientTest, IsTheFormula) {
  EXPECT_EQ(Full(row_, {}), (std::vector<float>{40, -80, -20, 40, 10, -20, 0, 0}));
  EXPECT_EQ(Full({}, penalty_), (std::vector<float>{2, 4, 0, 0, -30, -36, 0, 0}));
  EXPECT_EQ(Full(row_, penalty_), (std::vector<float>{42, -76, -20, 40, -20, -56, 0, 0}));
  EXPECT_EQ(Full({}, {}), std::vector<float>(8));
}

TEST_F(FullGradientTest, WithoutGainOrDecay) {
  parameter_.decay = Tensor();
  EXPECT_EQ(Full(row_, penalty_), (std::vector<float>{40, -80, -20, 40, 10, -20, 0, 0}));
  parameter_.decay = FromHost<float>(context_, {1, 0}, {2});
  parameter_.gain = Tensor();
  EXPECT_EQ(Full(row_, penalty_), (std::vector<float>{12, -16, 10, -20, 0, 0, 0, 0}));
}

TEST_F(FullGradientTest, NoRowTakesPart) {
  parameter_.gain = parameter_.decay = Zeros(context_, {0});
  EXPECT_EQ(Full(row_, penalty_), std::vector<float>(8));
}

// What the optimizer steps by, which has the rule for itself.
TEST_F(FullGradientTest, IsWhatTheOptimizerStepsBy) {
  const std::vector<float> before = ToHost<float>(context_, parameter_.value);
  const std::vector<float> gradient = Full(row_, FromHost<float>(context_, {1}, {}));
  SgdStep(context_, {{parameter_.value, row_, {}, {}, parameter_.gain, parameter_.decay}}, {1, 0, false, 0});
  const std::vector<float> after = ToHost<float>(context_, parameter_.value);
  for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i] - after[i], gradient[i]) << i;
}

}  // namespace
}  // namespace bitgate
