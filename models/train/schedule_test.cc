#include "models/train/schedule.h"

#include <cmath>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

Schedule Make(ScheduleKind kind) {
  Schedule schedule;
  schedule.kind = kind;
  return schedule;
}

TEST(ScheduleTest, ConstantIsOne) {
  const Schedule schedule = Make(ScheduleKind::kConstant);
  EXPECT_EQ(ScheduleFactor(schedule, 0, 3, 10), 1);
  EXPECT_EQ(ScheduleFactor(schedule, 29, 3, 10), 1);
}

TEST(ScheduleTest, LinearDecayFillsTheLastThird) {
  const Schedule schedule = Make(ScheduleKind::kLinearLastThird);
  for (int64_t step = 0; step <= 20; ++step) EXPECT_EQ(ScheduleFactor(schedule, step, 3, 10), 1) << step;
  for (int64_t step = 20; step < 30; ++step) {
    EXPECT_DOUBLE_EQ(ScheduleFactor(schedule, step, 3, 10), (30 - step) / 10.0) << step;
  }
}

TEST(ScheduleTest, CosineGoesFromOneThroughOneHalfTowardsZero) {
  const Schedule schedule = Make(ScheduleKind::kCosine);
  EXPECT_EQ(ScheduleFactor(schedule, 0, 2, 10), 1);
  EXPECT_NEAR(ScheduleFactor(schedule, 5, 2, 10), (1 + std::sqrt(0.5)) / 2, 1e-15);
  EXPECT_NEAR(ScheduleFactor(schedule, 10, 2, 10), 0.5, 1e-15);
  EXPECT_NEAR(ScheduleFactor(schedule, 20, 2, 10), 0, 1e-15);
}

TEST(ScheduleTest, StepsMultiplyAtTheirEpochs) {
  Schedule schedule = Make(ScheduleKind::kSteps);
  schedule.step_epochs = {1, 3};
  schedule.step_factor = 0.5;
  EXPECT_EQ(ScheduleFactor(schedule, 9, 4, 10), 1);
  EXPECT_EQ(ScheduleFactor(schedule, 10, 4, 10), 0.5);
  EXPECT_EQ(ScheduleFactor(schedule, 29, 4, 10), 0.5);
  EXPECT_EQ(ScheduleFactor(schedule, 30, 4, 10), 0.25);
}

TEST(ScheduleTest, RefusesWhatMakesNoSense) {
  Schedule schedule;
  schedule.step_epochs = {10, 10};
  try {
    CheckSchedule("phase gates: weights", schedule);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "phase gates: weights: expected step_epochs ascending from 1, got 10 after 10");
  }
  schedule.step_epochs = {0};
  EXPECT_THROW(CheckSchedule("x", schedule), Error);
  schedule.step_epochs = {};
  schedule.step_factor = 0;
  EXPECT_THROW(CheckSchedule("x", schedule), Error);
  schedule.step_factor = std::nan("");
  EXPECT_THROW(CheckSchedule("x", schedule), Error);
}

}  // namespace
}  // namespace bitgate
