// The optimizers of one phase: for each parameter group its algorithm, rate and state.
#ifndef BITGATE_MODELS_TRAIN_OPTIMIZER_H_
#define BITGATE_MODELS_TRAIN_OPTIMIZER_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/quantized/parameter.h"
#include "models/train/schedule.h"
#include "ops/optim/optim.h"
#include "runtime/autograd/tape.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

enum class OptimizerKind { kAdam, kSgd };

struct GroupOptions {
  OptimizerKind optimizer = OptimizerKind::kAdam;
  double learning_rate = 1e-3;
  double weight_decay = 0;
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  // Adam
  double momentum = 0;                                // SGD
  bool nesterov = false;                              // SGD
  Schedule schedule;
};

inline constexpr int kParameterGroups = 3;
// "weights", "gates", "ranges".
const char* ToString(ParameterGroup group);

// Indexed by ParameterGroup.
using GroupsOptions = std::array<GroupOptions, kParameterGroups>;

// Throws InvalidArgument, naming `where` and the setting, for a value out of range.
void CheckGroupOptions(const std::string& where, const GroupOptions& options);

class Optimizers {
 public:
  // Makes the state, all zeros, on the context's device. Context and parameters must outlive it.
  Optimizers(Context& context, const std::vector<Parameter*>& parameters, const GroupsOptions& options);

  // What the arithmetic of a step needs of it, by group: to be put where Step reads it. `step` counts from 1;
  // `learning_rates` are those of this step.
  std::array<StepScalars, kParameterGroups> Scalars(int64_t step,
                                                    const std::array<double, kParameterGroups>& learning_rates) const;
  // Updates every parameter the tape has a gradient for, all in one call of ops/optim. `scalars`: Scalars of the step,
  // float32 [kParameterGroups, kStepScalars], on the device. `proceed`: int32 [1]; where it is 0 nothing changes.
  void Step(const Tape& tape, const Tensor& scalars, const Tensor& proceed);

  // "optimizer/<part>/first_moment" and ".../second_moment" of every parameter part, in host memory: copies.
  std::map<std::string, Tensor> StateTensors() const;
  // Throws FailedPrecondition naming the first tensor that is missing, superfluous or of another shape. `tensors` are
  // float32 in host memory.
  void Load(const std::map<std::string, Tensor>& tensors);

  // Whether a name in a file is one of StateTensors' rather than a parameter's.
  static bool IsStateName(const std::string& name);

 private:
  struct Slot {
    Parameter* parameter;
    Tensor first_moment, second_moment;  // undefined where the algorithm has none
  };

  Context& context_;
  GroupsOptions options_;
  std::array<std::vector<Slot>, kParameterGroups> groups_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_OPTIMIZER_H_
