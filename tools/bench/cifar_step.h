// A network for CIFAR and all that a training step of it needs.
#ifndef BITGATE_TOOLS_BENCH_CIFAR_STEP_H_
#define BITGATE_TOOLS_BENCH_CIFAR_STEP_H_

#include <cstdint>
#include <string>

#include "models/nn/network.h"
#include "models/train/train_step.h"
#include "runtime/device/context.h"

namespace bitgate::bench {

// On the CPU, always with the same batch, as after the first steps of training.
class CifarStep {
 public:
  // `network`: a name of the zoo.
  CifarStep(const std::string& network, const QuantizerConfig& quantizer, Compute compute, int64_t batch);

  // Takes one step, as Trainer does.
  void Run();
  // The most that was handed out at once, in bytes: parameters, optimizer, activations, workspaces.
  double peak_bytes();

 private:
  Context context_;
  Network network_;
  TrainStep step_;
  StepInputs inputs_{};
};

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_CIFAR_STEP_H_
