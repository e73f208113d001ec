// Optimizer steps: one fused, threaded pass over all parameters given to a call.
//
// A parameter is rows: its first `rows` rows p[r, i] share one gradient G[i], and the gradient of each is
//     grad[r, i] = gain[r] * G[i] + (decay[r] + weight_decay) * p[r, i].
// An ordinary weight is one row with gain 1 and decay 0. After the step, p is clamped to [low, high].
// Exact: the same bits for every instruction set, thread count and device. Nothing is recorded on a tape.
#ifndef BITGATE_OPS_OPTIM_OPTIM_H_
#define BITGATE_OPS_OPTIM_OPTIM_H_

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "ops/optim/optim_math.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// All float32, contiguous. Overwritten in place: parameter and moments.
struct ParameterUpdate {
  // Any shape without `gain` and `decay` (one row of all its elements); with either, rows along its first axis, of
  // which the first gain.size() (decay.size()) take part and the others stay as they are.
  Tensor parameter;
  Tensor gradient;                     // as many elements as a row; undefined stands for zeros
  Tensor first_moment, second_moment;  // of the parameter's size, zero before the first step; undefined where unused
  Tensor gain, decay;                  // [rows], equally many; undefined stands for 1, respectively 0
  float low = -std::numeric_limits<float>::infinity();
  float high = std::numeric_limits<float>::infinity();
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};

// Adam (Kingma and Ba, arXiv 1412.6980, algorithm 1) as PyTorch computes it, with `step` counting from 1:
//     m = beta1 m + (1 - beta1) grad,  v = beta2 v + (1 - beta2) grad^2
//     p = p - learning_rate / (1 - beta1^step) * m / (sqrt(v) / sqrt(1 - beta2^step) + epsilon)
// Uses both moments. Throws InvalidArgument, naming the update by its index, for operands that do not fit together.
void AdamStep(Context& context, const std::vector<ParameterUpdate>& updates, const AdamOptions& options, int64_t step);

struct SgdOptions {
  double learning_rate = 1e-2;
  double momentum = 0;
  bool nesterov = false;
  double weight_decay = 0;
};

// Stochastic gradient descent as PyTorch computes it:
//     m = momentum m + grad,  p = p - learning_rate * (nesterov ? grad + momentum m : m)
// Uses first_moment when momentum is not 0; without momentum m is grad. Throws as above, and for
// nesterov without momentum.
void SgdStep(Context& context, const std::vector<ParameterUpdate>& updates, const SgdOptions& options);

// The same two by parts, for a training step that is captured once and replayed: everything that changes from step to
// step lies on the device.

// What AdamStep and SgdStep make of options and step, for one group of parameters. Throw what they throw.
using StepScalars = std::array<float, kStepScalars>;
StepScalars AdamScalars(const AdamOptions& options, int64_t step);
StepScalars SgdScalars(const SgdOptions& options);
UpdateKind SgdKind(const SgdOptions& options);

struct UpdateGroup {
  std::vector<ParameterUpdate> updates;
  UpdateKind kind = UpdateKind::kAdam;
  Tensor scalars;  // StepScalars, float32 [kStepScalars]
};

// All groups in one launch. `proceed`: int32 [1], or undefined; where it is 0 nothing changes.
void OptimizerStep(Context& context, const std::vector<UpdateGroup>& groups, const Tensor& proceed = {});

}  // namespace bitgate

#endif  // BITGATE_OPS_OPTIM_OPTIM_H_
