// Training on a GPU against training on the CPU: the same step from the same state, and whole curves.
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "models/train/train_step.h"
#include "models/train/trainer.h"
#include "models/zoo/lenet5.h"
#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"
#include "runtime/tensor/copy.h"
#include "tests/parity/gpu_test.h"

namespace bitgate {
namespace {

constexpr int64_t kSide = 28, kClasses = 10;

using Values = std::map<std::string, std::vector<float>>;

class TrainParity : public GpuTest {};

QuantizerConfig Quantizer() {
  QuantizerConfig config;
  config.set_method("bayesian_bits");
  config.set_mu(0.1);
  config.set_initial_gate(1);
  return config;
}

// Noise, and a bright bar whose place and direction are the class.
Dataset Bars(int64_t images, uint64_t seed) {
  std::vector<uint8_t> pixels(images * kSide * kSide);
  std::vector<int32_t> labels(images);
  for (int64_t image = 0; image < images; ++image) {
    labels[image] = static_cast<int32_t>(image * 7 % kClasses);
    for (int64_t y = 0; y < kSide; ++y) {
      for (int64_t x = 0; x < kSide; ++x) {
        const int64_t place = labels[image] % 2 == 0 ? x : y, bar = 3 + labels[image] / 2 * 5;
        const bool bright = place >= bar && place < bar + 3;
        const int64_t i = (image * kSide + y) * kSide + x;
        pixels[i] = static_cast<uint8_t>((bright ? 130 : 0) + 120 * Uniform({seed, 1, 0}, i));
      }
    }
  }
  return Dataset::FromArrays({kSide, kSide, 1}, std::move(pixels), std::move(labels), kClasses);
}

struct HostBatch {
  std::vector<float> images;
  std::vector<int32_t> labels;
};

HostBatch BatchOf(const Dataset& data, int64_t first, int64_t count) {
  const auto& pixels = std::get<std::vector<uint8_t>>(data.pixels());
  HostBatch batch;
  for (int64_t i = first * kSide * kSide; i < (first + count) * kSide * kSide; ++i) {
    batch.images.push_back(static_cast<float>(pixels[i]) / 255.0f);
  }
  batch.labels.assign(data.labels().begin() + first, data.labels().begin() + first + count);
  return batch;
}

StepInputs Inputs(Context& context, const HostBatch& batch, int64_t step) {
  const int64_t count = static_cast<int64_t>(batch.labels.size());
  StepInputs inputs;
  inputs.images = FromHost(context, batch.images, {count, kSide, kSide, 1});
  inputs.labels = FromHost(context, batch.labels, {count});
  inputs.key = {5, 0, static_cast<uint64_t>(step)};
  inputs.optimizer_step = step + 1;
  inputs.learning_rates = {1e-3, 1e-2, 1e-3};
  return inputs;
}

struct Gradients {
  double loss;
  Values of;
};

Gradients Backward(Network& network, const StepInputs& inputs) {
  Context& context = network.context();
  Tape tape;
  network.Watch(tape);
  Tensor loss;
  {
    const Recording recording(context, tape);
    const ForwardResult result = network.Forward(inputs.images, Mode::kTrain, inputs.key);
    loss = Add(context, SoftmaxCrossEntropy(context, result.logits, inputs.labels), result.penalty);
  }
  tape.Backward(context, loss);
  Gradients gradients{ToHost<float>(context, loss)[0], {}};
  for (const Parameter* parameter : network.parameters()) {
    const Tensor gradient = tape.Gradient(parameter->value);
    if (gradient.defined()) gradients.of[parameter->declaration.name] = ToHost<float>(context, gradient);
  }
  return gradients;
}

// |a - b| / |a|, of vectors.
double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, length = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    length += double{a[i]} * a[i];
  }
  return std::sqrt(difference / std::max(length, 1e-30));
}

// Sums in another order differ by some epsilons (1e-6 of a value), and where an activation lies that near to the middle
// between two codes, it gets the other one: of some hundred thousand activations of a batch a few dozen at 8 bits, each
// off by a 256th. That moves the loss by less than 1e-5 of it and a gradient by less than 2e-2 of its length (a gate's
// is a sum with much cancellation); a wrong formula or a lost term moves it by more.
constexpr double kLossTolerance = 1e-5, kGradientTolerance = 2e-2;
// Adam divides a gradient by its size: where it is next to nothing, its rounding decides.
constexpr double kChangeTolerance = 5e-2;

// What a step has added to each parameter.
Values Change(const Values& before, const Values& after) {
  Values change = after;
  for (auto& [name, values] : change) {
    for (size_t i = 0; i < values.size(); ++i) values[i] -= before.at(name)[i];
  }
  return change;
}

Values ValuesOf(Network& network) {
  Values values;
  for (const auto& [name, tensor] : network.StateTensors()) values[name] = ToHost<float>(network.context(), tensor);
  return values;
}

double Worst(const Values& expected, const Values& got) {
  EXPECT_EQ(expected.size(), got.size());
  double worst = 0;
  for (const auto& [name, values] : expected) worst = std::max(worst, Distance(values, got.at(name)));
  return worst;
}

// The GPU's step is replayed from the second on; its batch is always in the same place.
TEST_F(TrainParity, EachOfFiftyStepsFromTheSameState) {
  const Dataset data = Bars(25 * 32, 1);
  Network cpu(cpu_, zoo::LeNet5(), Quantizer(), 3), gpu(*gpu_, zoo::LeNet5(), Quantizer(), 4);
  TrainStep cpu_step(cpu, GroupsOptions{}), gpu_step(gpu, GroupsOptions{});
  StepInputs on_gpu = Inputs(*gpu_, BatchOf(data, 0, 32), 0);
  double worst_loss = 0, worst_gradient = 0, worst_change = 0;
  for (int64_t i = 0; i < 50; ++i) {
    const HostBatch batch = BatchOf(data, i % 25 * 32, 32);
    const StepInputs on_cpu = Inputs(cpu_, batch, i), fresh = Inputs(*gpu_, batch, i);
    CopyInto(*gpu_, on_gpu.images, fresh.images);
    CopyInto(*gpu_, on_gpu.labels, fresh.labels);
    on_gpu.key = fresh.key;
    on_gpu.optimizer_step = fresh.optimizer_step;

    gpu.Load(cpu.StateTensors(), cpu.SaveState());
    gpu_step.optimizers().Load(cpu_step.optimizers().StateTensors());
    const Gradients expected = Backward(cpu, on_cpu), got = Backward(gpu, on_gpu);
    worst_gradient = std::max(worst_gradient, Worst(expected.of, got.of));

    const Values before = ValuesOf(cpu);
    cpu_step.Queue(on_cpu);
    gpu_step.Queue(on_gpu);
    const auto cpu_result = cpu_step.Take(/*wait=*/true), gpu_result = gpu_step.Take(/*wait=*/true);
    ASSERT_TRUE(cpu_result->learned);
    ASSERT_TRUE(gpu_result->learned);
    EXPECT_EQ(gpu_result->correct, cpu_result->correct) << "step " << i;
    worst_loss = std::max(worst_loss, std::abs(gpu_result->loss - cpu_result->loss) / cpu_result->loss);
    worst_change = std::max(worst_change, Worst(Change(before, ValuesOf(cpu)), Change(before, ValuesOf(gpu))));
  }
  std::cout << "worst relative difference: loss " << worst_loss << ", gradient " << worst_gradient << ", change "
            << worst_change << "\n";
  EXPECT_LE(worst_loss, kLossTolerance);
  EXPECT_LE(worst_gradient, kGradientTolerance);
  EXPECT_LE(worst_change, kChangeTolerance);
  EXPECT_EQ(gpu_step.replayed(), 49);
}

TrainerOptions Options() {
  TrainerOptions options;
  options.batch_size = 32;
  options.evaluation_batch_size = 64;
  options.seed = 11;
  options.gates.epochs = 4;
  options.fine_tune.epochs = 1;
  return options;
}

// Training loss and test accuracy, by epoch.
std::vector<std::pair<double, double>> Curve(Context& context) {
  Network network(context, zoo::LeNet5(), Quantizer(), 3);
  std::vector<std::pair<double, double>> curve;
  TrainerCallbacks callbacks;
  callbacks.epoch_end = [&](const EpochSummary& summary) {
    curve.emplace_back(summary.train_loss, summary.test_accuracy);
  };
  Trainer(network, Bars(8 * 32 - 5, 1), Bars(100, 2), Options(), {}, callbacks).Run();
  return curve;
}

TEST_F(TrainParity, FreeRunningLossCurves) {
  const auto cpu = Curve(cpu_), gpu = Curve(*gpu_);
  EXPECT_EQ(Curve(*gpu_), gpu) << "two runs on the GPU";
  ASSERT_EQ(cpu.size(), 5u);
  ASSERT_EQ(gpu.size(), 5u);
  for (size_t epoch = 0; epoch < cpu.size(); ++epoch) {
    EXPECT_NEAR(gpu[epoch].first, cpu[epoch].first, 0.02 * cpu[epoch].first) << "epoch " << epoch + 1;
    EXPECT_NEAR(gpu[epoch].second, cpu[epoch].second, 0.05) << "epoch " << epoch + 1;
  }
  EXPECT_LT(gpu.back().first, gpu.front().first);
}

}  // namespace
}  // namespace bitgate
