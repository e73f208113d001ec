#include "tools/bench/lenet_step.h"

#include <utility>
#include <vector>

#include "models/zoo/lenet5.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/tensor/copy.h"

namespace bitgate::bench {
namespace {

QuantizerConfig Quantizer(const std::string& method) {
  QuantizerConfig config;
  config.set_method(method);
  config.set_mu(0.1);
  config.add_initially_closed_bits(16);
  config.add_initially_closed_bits(32);
  return config;
}

std::vector<int32_t> Labels(int64_t images) {
  std::vector<int32_t> labels(images);
  for (int64_t i = 0; i < images; ++i) labels[i] = static_cast<int32_t>(i % 10);
  return labels;
}

Dataset RawImages(int64_t images) {
  std::vector<uint8_t> pixels(images * 28 * 28);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(256 * Uniform({1, 2, 3}, i));
  return Dataset::FromArrays({28, 28, 1}, std::move(pixels), Labels(images), 10);
}

}  // namespace

LeNetStep::LeNetStep(Device device, const std::string& method, int64_t batch, int64_t batches, bool capture)
    : context_(device),
      network_(context_, zoo::LeNet5(), Quantizer(method), 1),
      step_(network_, GroupsOptions(), capture),
      inputs_{} {
  inputs_.key = {1, 0, 0};
  inputs_.learning_rates.fill(1e-3);
  if (device.type != DeviceType::kCpu) {
    LoaderOptions options;
    options.batch_size = batch;
    options.shuffle = true;
    feeder_ = std::make_unique<Feeder>(context_, network_.graph(), RawImages(batch * batches), options);
    feeder_->StartEpoch(epoch_);
    return;
  }
  std::vector<float> images(batch * 28 * 28);
  for (size_t i = 0; i < images.size(); ++i) images[i] = Uniform({1, 2, 3}, i);
  inputs_.images = FromHost(context_, images, {batch, 28, 28, 1});
  inputs_.labels = FromHost(context_, Labels(batch), {batch});
}

void LeNetStep::NextBatch() {
  if (feeder_ == nullptr) return;
  const DeviceBatch* batch = feeder_->Next();
  if (batch == nullptr) {
    feeder_->StartEpoch(++epoch_);
    batch = feeder_->Next();
  }
  inputs_.images = batch->images();
  inputs_.labels = batch->labels();
}

void LeNetStep::Take(bool wait) {
  while (const auto result = step_.Take(wait || step_.full())) {
    if (!result->learned) throw Internal("LeNet-5: expected steps that learn, got cross-entropy ", result->loss);
  }
}

void LeNetStep::Run(int steps) {
  for (int i = 0; i < steps; ++i) {
    NextBatch();
    ++inputs_.optimizer_step;
    ++inputs_.key.step;
    step_.Queue(inputs_);
    Take(/*wait=*/false);
  }
  Take(/*wait=*/true);
  context_.backend().Synchronize();
}

void LeNetStep::CheckReplayed() const {
  if (step_.replayed() > 0) return;
  throw Internal("LeNet-5: expected a step that is captured, got ",
                 step_.not_captured().empty() ? "a device that captures none" : step_.not_captured());
}

}  // namespace bitgate::bench
