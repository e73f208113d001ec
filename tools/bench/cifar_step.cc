#include "tools/bench/cifar_step.h"

#include <vector>

#include "models/zoo/zoo.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/tensor/copy.h"

namespace bitgate::bench {
namespace {

constexpr int64_t kSide = 32, kChannels = 3, kClasses = 10;

// Stochastic gradient descent with momentum for all: the same work for every method.
GroupsOptions Optimizer() {
  GroupsOptions groups;
  for (GroupOptions& group : groups) {
    group.optimizer = OptimizerKind::kSgd;
    group.momentum = 0.9;
  }
  return groups;
}

}  // namespace

CifarStep::CifarStep(const std::string& network, const QuantizerConfig& quantizer, Compute compute, int64_t batch)
    : context_(Device{}, compute), network_(context_, zoo::Build(network), quantizer, 1), step_(network_, Optimizer()) {
  std::vector<float> images(batch * kSide * kSide * kChannels);
  for (size_t i = 0; i < images.size(); ++i) images[i] = 4 * Uniform({1, 2, 3}, i) - 2;
  std::vector<int32_t> labels(batch);
  for (int64_t i = 0; i < batch; ++i) labels[i] = static_cast<int32_t>(i % kClasses);
  inputs_.images = FromHost(context_, images, {batch, kSide, kSide, kChannels});
  inputs_.labels = FromHost(context_, labels, {batch});
  inputs_.key = {1, 0, 0};
  inputs_.learning_rates.fill(1e-3);
}

void CifarStep::Run() {
  ++inputs_.optimizer_step;
  ++inputs_.key.step;
  step_.Queue(inputs_);
  const StepResult result = *step_.Take(/*wait=*/true);
  if (!result.learned) throw Internal("bench: expected steps that learn, got cross-entropy ", result.loss);
}

double CifarStep::peak_bytes() { return static_cast<double>(context_.pool()->statistics().peak_in_use_bytes); }

}  // namespace bitgate::bench
