// A CPU and a GPU side by side.
#ifndef BITGATE_TESTS_PARITY_GPU_TEST_H_
#define BITGATE_TESTS_PARITY_GPU_TEST_H_

#include <gtest/gtest.h>

#include <memory>

#include "runtime/base/error.h"
#include "runtime/device/context.h"

namespace bitgate {

// Skips, visibly, where there is no GPU to compare with.
class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      gpu_ = std::make_unique<Context>(ParseDevice("cuda:0"));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kUnimplemented) << error.what();
      GTEST_SKIP() << error.what();
    }
  }

  Context cpu_;
  std::unique_ptr<Context> gpu_;
};

}  // namespace bitgate

#endif  // BITGATE_TESTS_PARITY_GPU_TEST_H_
