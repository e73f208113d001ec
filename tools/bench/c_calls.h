// What the benchmarks call through the C interface.
#ifndef BITGATE_TOOLS_BENCH_C_CALLS_H_
#define BITGATE_TOOLS_BENCH_C_CALLS_H_

#include <cstdint>
#include <vector>

#include "api/c/bitgate.h"

namespace bitgate::bench {

// Throws Internal with the library's message for anything but BG_STATUS_OK.
void CheckC(bg_status status);

// A LeNet-5 with Bayesian Bits as TrainingStep has it, and a batch of raw images, in memory of the caller's.
class CStep {
 public:
  explicit CStep(int64_t batch);
  ~CStep();
  CStep(const CStep&) = delete;
  CStep& operator=(const CStep&) = delete;

  void Run() { CheckC(bg_trainer_step(trainer_, images_, labels_, 1, nullptr)); }

 private:
  std::vector<uint8_t> pixels_;
  bg_context* context_ = nullptr;
  bg_config* config_ = nullptr;
  bg_model* model_ = nullptr;
  bg_trainer* trainer_ = nullptr;
  bg_tensor *images_ = nullptr, *labels_ = nullptr;
};

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_C_CALLS_H_
