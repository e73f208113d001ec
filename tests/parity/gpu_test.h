// A CPU and a GPU side by side: that of BITGATE_TEST_DEVICE, or cuda:0 where the variable names none.
#ifndef BITGATE_TESTS_PARITY_GPU_TEST_H_
#define BITGATE_TESTS_PARITY_GPU_TEST_H_

#include <gtest/gtest.h>

#include <memory>

#include "runtime/base/error.h"
#include "runtime/device/context.h"
#include "runtime/device/test_context.h"

namespace bitgate {

// Skips, visibly, where there is no GPU to compare with; one that was asked for and does not open is a failure.
class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const Device device = testing::TestDevice();
    if (device.type == DeviceType::kCuda) {
      gpu_ = std::make_unique<Context>(device);
      return;
    }
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
