// One step of training: forward, loss and penalty, backward, one fused optimizer call a group. What Trainer does for
// each batch of its data, and Stepper for each of the caller's.
#ifndef BITGATE_MODELS_TRAIN_TRAIN_STEP_H_
#define BITGATE_MODELS_TRAIN_TRAIN_STEP_H_

#include <array>
#include <cstdint>
#include <functional>

#include "models/nn/network.h"
#include "models/train/optimizer.h"
#include "runtime/autograd/tape.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

struct StepResult {
  double loss = 0;      // mean cross-entropy of the batch
  double penalty = 0;   // the method's regularizer; 0 where it has none
  int64_t correct = 0;  // images whose largest logit is at the label
};

struct StepInputs {
  Tensor images;  // [n, ...input_shape], float32, preprocessed, on the network's device
  Tensor labels;  // [n], int32
  RandomKey key;  // of the gates' noise
  // Both as Optimizers::Step takes them.
  int64_t optimizer_step;
  std::array<double, kParameterGroups> learning_rates;
};

// Leaves `tape` clear. `check` sees the result before any parameter changes, and may throw to keep them as they are.
StepResult TrainStep(Network& network, Tape& tape, Optimizers& optimizers, const StepInputs& inputs,
                     const std::function<void(const StepResult&)>& check);

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_TRAIN_STEP_H_
