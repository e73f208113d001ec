#include <memory>

#include "models/nn/network.h"
#include "models/zoo/lenet5.h"
#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"
#include "ops/optim/optim.h"
#include "runtime/tensor/copy.h"
#include "tools/bench/benchmarks.h"
#include "tools/bench/c_calls.h"
#include "tools/bench/onednn_calls.h"

namespace bitgate::bench {
namespace {

// One network and all that a training step of it needs.
class TrainingStep {
 public:
  TrainingStep(const std::string& method, int64_t batch) : network_(context_, zoo::LeNet5(), Config(method), 1) {
    std::vector<float> images(batch * 28 * 28);
    for (size_t i = 0; i < images.size(); ++i) images[i] = Uniform({1, 2, 3}, i);
    images_ = FromHost(context_, images, {batch, 28, 28, 1});
    std::vector<int32_t> labels(batch);
    for (int64_t i = 0; i < batch; ++i) labels[i] = static_cast<int32_t>(i % 10);
    labels_ = FromHost(context_, labels, {batch});
    for (const Parameter* parameter : network_.parameters()) {
      moments_.push_back(Zeros(context_, parameter->value.shape()));
      moments_.push_back(Zeros(context_, parameter->value.shape()));
    }
  }

  void Run() {
    tape_.Clear();
    network_.Watch(tape_);
    Tensor loss;
    {
      Recording recording(context_, tape_);
      const ForwardResult result = network_.Forward(images_, Mode::kTrain, {1, 0, static_cast<uint64_t>(step_)});
      loss = SoftmaxCrossEntropy(context_, result.logits, labels_);
      if (result.penalty.defined()) loss = Add(context_, loss, result.penalty);
    }
    tape_.Backward(context_, loss);
    std::vector<ParameterUpdate> updates;
    for (size_t i = 0; i < network_.parameters().size(); ++i) {
      const Parameter* parameter = network_.parameters()[i];
      ParameterUpdate update;
      update.parameter = parameter->value;
      update.gradient = tape_.Gradient(parameter->value);
      update.first_moment = moments_[2 * i];
      update.second_moment = moments_[2 * i + 1];
      update.low = parameter->declaration.low;
      update.high = parameter->declaration.high;
      updates.push_back(update);
    }
    AdamStep(context_, updates, {}, ++step_);
  }

 private:
  static QuantizerConfig Config(const std::string& method) {
    QuantizerConfig config;
    config.set_method(method);
    config.set_mu(0.1);
    config.add_initially_closed_bits(16);
    config.add_initially_closed_bits(32);
    return config;
  }

  Context context_;
  Network network_;
  Tape tape_;
  Tensor images_, labels_;
  std::vector<Tensor> moments_;
  int64_t step_ = 0;
};

}  // namespace

std::vector<Row> LeNetStepRows(int64_t batch, int turns) {
  TrainingStep quantized("bayesian_bits", batch), plain("float", batch);
  CStep through_c(batch);
  const auto calls = LeNetOneDnnCalls(batch);
  const auto times = TakeTurns({{"LeNet-5 Bayesian Bits training step", [&] { quantized.Run(); }},
                                {"LeNet-5 float training step", [&] { plain.Run(); }},
                                {"the same through bg_trainer_step", [&] { through_c.Run(); }},
                                {"its bare oneDNN convolutions and products",
                                 [&] {
                                   for (const auto& call : calls) call();
                                 }}},
                               turns);
  return {{times[0].name, times[1].name, times[0].milliseconds, times[1].milliseconds, 1.3},
          {times[0].name, times[3].name, times[0].milliseconds, times[3].milliseconds, 1.6},
          {times[1].name, times[3].name, times[1].milliseconds, times[3].milliseconds, 0},
          {times[2].name, times[0].name, times[2].milliseconds, times[0].milliseconds, 1.02}};
}

}  // namespace bitgate::bench
