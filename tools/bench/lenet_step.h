// A LeNet-5 and all that a training step of it needs.
#ifndef BITGATE_TOOLS_BENCH_LENET_STEP_H_
#define BITGATE_TOOLS_BENCH_LENET_STEP_H_

#include <cstdint>
#include <memory>
#include <string>

#include "models/nn/network.h"
#include "models/train/feeder.h"
#include "models/train/train_step.h"
#include "runtime/device/context.h"

namespace bitgate::bench {

class LeNetStep {
 public:
  // On the CPU each step has the same batch, ready to use. On a GPU `batches` of them, raw, stay on the device, are
  // shuffled every epoch, and a step gathers its own, as training does.
  LeNetStep(Device device, const std::string& method, int64_t batch, int64_t batches = 1, bool capture = true);

  // Takes so many steps, as Trainer does, and waits for them.
  void Run(int steps);
  // Throws Internal when no step was replayed.
  void CheckReplayed() const;

 private:
  void NextBatch();
  void Take(bool wait);

  Context context_;
  Network network_;
  TrainStep step_;
  std::unique_ptr<Feeder> feeder_;  // null on the CPU
  StepInputs inputs_;
  int64_t epoch_ = 0;
};

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_LENET_STEP_H_
