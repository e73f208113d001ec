// How a learning rate changes over a phase of training.
#ifndef BITGATE_MODELS_TRAIN_SCHEDULE_H_
#define BITGATE_MODELS_TRAIN_SCHEDULE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace bitgate {

enum class ScheduleKind {
  kConstant,
  kLinearLastThird,  // 1, then linearly to 0 over the last third of the phase
  kCosine,           // (1 + cos(pi * t)) / 2
  kSteps,            // times `step_factor` at each of `step_epochs`
};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kConstant;
  std::vector<int64_t> step_epochs;  // kSteps: epochs after which the rate drops, ascending, from 1
  double step_factor = 0.1;
};

// Throws InvalidArgument, naming `where`, for step epochs that do not ascend from 1 or a factor outside (0, 1].
void CheckSchedule(const std::string& where, const Schedule& schedule);

// The factor of step `step` (from 0) in a phase of `epochs` times `steps_per_epoch` steps. With t = step / all steps,
// linear decay is min(1, 3 (1 - t)): the first step past two thirds is the first to be lower.
double ScheduleFactor(const Schedule& schedule, int64_t step, int64_t epochs, int64_t steps_per_epoch);

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_SCHEDULE_H_
