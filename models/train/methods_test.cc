// Training with every method that changes what a network is made of: BSQ's planes, batch norm beside and folded.
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "models/train/evaluate.h"
#include "models/train/test_run.h"
#include "models/train/train_step.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

QuantizerConfig Bsq(double alpha = 0.02) {
  QuantizerConfig config;
  config.set_method("bsq");
  config.set_alpha(alpha);
  return config;
}

QuantizerConfig Folded(QuantizerConfig::BatchNormStatistics statistics) {
  QuantizerConfig config = TestQuantizer();
  config.set_batch_norm_statistics(statistics);
  return config;
}

std::vector<QuantizerConfig> Methods() {
  return {Bsq(), Folded(QuantizerConfig::FLOAT), Folded(QuantizerConfig::DETACHED), Folded(QuantizerConfig::QUANTIZED),
          TestQuantizer("float")};
}

TrainerOptions Options(const QuantizerConfig& quantizer, int64_t epochs = 2) {
  TrainerOptions options = TestOptions();
  options.gates.epochs = epochs;
  options.requantize_every = 1;
  if (quantizer.method() != "bsq") return options;
  for (PhaseOptions* phase : {&options.gates, &options.fine_tune}) {
    phase->weights.optimizer = OptimizerKind::kSgd;
    phase->weights.learning_rate = 0.05;
    phase->weights.momentum = 0.9;
    phase->weights.weight_decay = 1e-4;
    phase->ranges.learning_rate = 0;
  }
  return options;
}

using Values = std::map<std::string, std::vector<float>>;

Values ValuesOf(Network& network) {
  Values values;
  for (const auto& [name, tensor] : network.StateTensors()) values[name] = ToHost<float>(network.context(), tensor);
  return values;
}

StepInputs Batch(Context& context, int64_t step) {
  const Dataset data = TestData(16, 100 + step);
  std::vector<float> pixels;
  for (const uint8_t pixel : std::get<std::vector<uint8_t>>(data.pixels())) pixels.push_back(pixel / 255.0f);
  StepInputs inputs;
  inputs.images = FromHost(context, pixels, {16, kTestSide, kTestSide, 1});
  inputs.labels = FromHost(context, data.labels(), {16});
  inputs.key = {7, 0, static_cast<uint64_t>(step)};
  inputs.optimizer_step = step + 1;
  inputs.learning_rates = {0.01, 0.05, 0.01};
  return inputs;
}

Values TrainSixSteps(const QuantizerConfig& quantizer, bool capture) {
  TestNetwork test(1, TestResidualGraph(), quantizer);
  TrainStep step(test.network, GroupsOf(Options(quantizer).gates), capture);
  const StepInputs memory = Batch(test.context, 0);
  for (int64_t i = 0; i < 6; ++i) {
    StepInputs inputs = Batch(test.context, i);
    CopyInto(test.context, memory.images, inputs.images);
    CopyInto(test.context, memory.labels, inputs.labels);
    inputs.images = memory.images;
    inputs.labels = memory.labels;
    step.Queue(inputs);
    EXPECT_TRUE(step.Take(/*wait=*/true)->learned);
  }
  EXPECT_EQ(step.not_captured(), "");
  EXPECT_EQ(step.replayed(), capture && test.context.backend().can_capture() ? 5 : 0);
  return ValuesOf(test.network);
}

TEST(MethodsTest, ReplayedStepsAreStepsThatRanByThemselves) {
  for (const QuantizerConfig& quantizer : Methods()) {
    EXPECT_EQ(TrainSixSteps(quantizer, true), TrainSixSteps(quantizer, false)) << quantizer.ShortDebugString();
  }
}

TEST(MethodsTest, ARunThatIsStoppedEndsWithTheSameBytes) {
  for (const QuantizerConfig& quantizer : Methods()) {
    const TestFolder whole, parts;
    const TrainerOptions options = Options(quantizer);
    EXPECT_TRUE(TrainOnce(whole.File(), 0, options, {}, TestResidualGraph(), quantizer));
    int programs = 1;
    while (!TrainOnce(parts.File(), 7, options, {}, TestResidualGraph(), quantizer)) ASSERT_LT(++programs, 20);
    EXPECT_GT(programs, 2);
    EXPECT_TRUE(ReadRun(parts.File()) == ReadRun(whole.File())) << quantizer.ShortDebugString();
  }
}

TEST(MethodsTest, EveryMethodLearns) {
  for (const QuantizerConfig& quantizer : Methods()) {
    TestNetwork test(1, TestResidualGraph(), quantizer);
    Trainer trainer(test.network, TestTrainData(), TestTestData(), Options(quantizer, 12));
    trainer.Run();
    EXPECT_TRUE(test.network.frozen());
    EXPECT_GT(Evaluate(test.network, TestTestData()).accuracy(), 0.8) << quantizer.ShortDebugString();
  }
}

// One step of SGD on planes: p - rate (gain G + (decay + weight decay) p), clamped to [0, 2].
TEST(MethodsTest, BsqPlanesMoveByTheirSharedGradientAndTheLasso) {
  const QuantizerConfig quantizer = Bsq();
  TestNetwork test(1, TestResidualGraph(), quantizer);
  GroupsOptions groups = GroupsOf(Options(quantizer).gates);
  groups[0].momentum = 0;
  Parameter& planes = test.network.parameter("conv2/weight/planes");
  const std::vector<float> before = ToHost<float>(test.context, planes.value);
  TrainStep step(test.network, groups);
  StepInputs inputs = Batch(test.context, 0);
  inputs.learning_rates = {0.5, 0, 0};
  step.Queue(inputs);
  step.Take(/*wait=*/true);
  const std::vector<float> after = ToHost<float>(test.context, planes.value);
  const std::vector<float> gain = ToHost<float>(test.context, planes.gain);
  const std::vector<float> decay = ToHost<float>(test.context, planes.decay);
  const size_t elements = before.size() / 16;
  for (size_t i = 0; i < elements; ++i) {
    // The gradient that the leading positive plane shows is that of all others.
    for (const size_t row : {size_t{0}, size_t{8}}) {
      const size_t at = row * elements + i, other = (8 - row) * elements + i;
      const double change = (before[at] - after[at]) / 0.5 - (decay[row] + 1e-4) * before[at];
      const double other_change = (before[other] - after[other]) / 0.5 - (decay[8 - row] + 1e-4) * before[other];
      const bool clamped = after[at] == 0 || after[at] == 2 || after[other] == 0 || after[other] == 2;
      if (clamped) continue;
      EXPECT_NEAR(change / gain[row], other_change / gain[8 - row], 1e-4) << i;
    }
    for (size_t row = 0; row < 16; ++row) {
      EXPECT_GE(after[row * elements + i], 0);
      EXPECT_LE(after[row * elements + i], 2);
    }
  }
  EXPECT_NE(before, after);
}

TEST(MethodsTest, BsqIsAdjustedOnScheduleAndAtTheEnd) {
  const QuantizerConfig quantizer = Bsq(3);
  TestNetwork test(1, TestResidualGraph(), quantizer);
  TrainerOptions options = Options(quantizer, 5);
  options.requantize_every = 2;
  options.fine_tune.epochs = 0;
  std::vector<RequantizeReport> reports;
  std::vector<int64_t> epochs;
  TrainerCallbacks callbacks;
  callbacks.requantized = [&](const RequantizeReport& report) { reports.push_back(report); };
  callbacks.epoch_end = [&](const EpochSummary& summary) {
    if (reports.size() > epochs.size()) epochs.push_back(summary.epoch);
  };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options, {}, callbacks);
  trainer.Run();
  EXPECT_EQ(epochs, (std::vector<int64_t>{2, 4, 5}));
  int64_t before = 0, after = 0;
  for (const RequantizedTensor& tensor : reports.front().tensors) before += tensor.bits_before;
  for (const RequantizedTensor& tensor : reports.back().tensors) after += tensor.bits;
  EXPECT_EQ(before, 8 * 4);  // two convolutions, a linear layer and its bias
  EXPECT_LT(after, before);
  EXPECT_NO_THROW(test.network.Freeze()) << "the training set has been seen for it";
}

TEST(MethodsTest, NegativeIntervalIsRefused) {
  TestNetwork test(1, TestResidualGraph(), Bsq());
  TrainerOptions options = Options(Bsq());
  options.requantize_every = -1;
  EXPECT_THROW(Trainer(test.network, TestTrainData(), TestTestData(), options), Error);
}

}  // namespace
}  // namespace bitgate
