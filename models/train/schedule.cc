#include "models/train/schedule.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr double kPi = 3.14159265358979323846;

}  // namespace

void CheckSchedule(const std::string& where, const Schedule& schedule) {
  int64_t previous = 0;
  for (const int64_t epoch : schedule.step_epochs) {
    if (epoch <= previous) {
      throw InvalidArgument(where, ": expected step_epochs ascending from 1, got ", epoch, " after ", previous);
    }
    previous = epoch;
  }
  if (!(schedule.step_factor > 0 && schedule.step_factor <= 1)) {
    throw InvalidArgument(where, ": expected step_factor in (0, 1], got ", schedule.step_factor);
  }
}

double ScheduleFactor(const Schedule& schedule, int64_t step, int64_t epochs, int64_t steps_per_epoch) {
  const double all = static_cast<double>(epochs) * static_cast<double>(steps_per_epoch);
  switch (schedule.kind) {
    case ScheduleKind::kConstant:
      return 1;
    case ScheduleKind::kLinearLastThird:
      return std::min(1.0, 3 * (all - static_cast<double>(step)) / all);
    case ScheduleKind::kCosine:
      return (1 + std::cos(kPi * static_cast<double>(step) / all)) / 2;
    case ScheduleKind::kSteps: {
      const auto passed =
          std::upper_bound(schedule.step_epochs.begin(), schedule.step_epochs.end(), step / steps_per_epoch);
      return std::pow(schedule.step_factor, static_cast<double>(passed - schedule.step_epochs.begin()));
    }
  }
  return 1;
}

}  // namespace bitgate
