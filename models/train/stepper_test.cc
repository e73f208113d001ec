#include "models/train/stepper.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/train/checkpoint.h"
#include "models/train/feeder.h"
#include "models/train/test_run.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

TrainerOptions ConstantRates() {
  TrainerOptions options = TestOptions();
  options.gates.weights.schedule = {};
  options.gates.epochs = 1;
  options.fine_tune.epochs = 0;
  return options;
}

std::map<std::string, std::vector<float>> Values(Network& network) {
  std::map<std::string, std::vector<float>> values;
  for (const auto& [name, tensor] : network.StateTensors()) values[name] = ToHost<float>(network.context(), tensor);
  return values;
}

TEST(StepperTest, TheTrainersBatchesGiveTheTrainersNetwork) {
  TestNetwork trained, stepped;
  Trainer(trained.network, TestTrainData(), TestTestData(), ConstantRates()).Run();

  LoaderOptions loading;
  loading.batch_size = 16;
  loading.shuffle = true;
  loading.seed = ConstantRates().seed;
  Feeder feeder(stepped.context, stepped.network.graph(), TestTrainData(), loading);
  feeder.StartEpoch(0);
  Stepper stepper(stepped.network, ConstantRates());
  while (const DeviceBatch* batch = feeder.Next()) {
    EXPECT_TRUE(std::isfinite(stepper.Step(batch->images(), batch->labels()).loss));
  }
  EXPECT_EQ(stepper.steps(), 3);
  EXPECT_EQ(Values(stepped.network), Values(trained.network));
}

class StepperBadInput : public ::testing::Test {
 protected:
  Tensor Images(float value = 0.5f) { return FromHost(test.context, std::vector<float>(2 * 36, value), {2, 6, 6, 1}); }
  Tensor Labels(int32_t second = 1) { return FromHost<int32_t>(test.context, {0, second}, {2}); }
  TestNetwork test;
};

TEST_F(StepperBadInput, IsRefusedAndChangesNothing) {
  Stepper stepper(test.network, TestOptions());
  const auto before = Values(test.network);
  EXPECT_THROW(stepper.Step(Images(), Labels(), -1), Error);
  EXPECT_THROW(stepper.Step(Images(), Labels(), std::nan("")), Error);
  EXPECT_THROW(stepper.Step(Tensor(), Labels()), Error);
  EXPECT_THROW(stepper.Step(Empty(test.context, {0, 6, 6, 1}), Empty(test.context, {0}, DType::kInt32)), Error);
  EXPECT_EQ(Values(test.network), before);
  EXPECT_EQ(stepper.steps(), 0);
}

// Ranges are decided by the first batch that is seen; nothing else may move.
TEST_F(StepperBadInput, AFailedStepMovesNoWeight) {
  Stepper stepper(test.network, TestOptions());
  stepper.Step(Images(), Labels());
  const auto before = Values(test.network);
  EXPECT_THROW(stepper.Step(Images(), Labels(7)), Error);
  EXPECT_THROW(stepper.Step(Images(std::numeric_limits<float>::infinity()), Labels()), Error);
  EXPECT_EQ(Values(test.network), before);
  stepper.Step(Images(), Labels());
  EXPECT_EQ(stepper.steps(), 2);
}

TEST_F(StepperBadInput, GoesOnAfterFreezing) {
  Stepper stepper(test.network, TestOptions());
  stepper.Step(Images(), Labels());
  test.network.Freeze();
  EXPECT_EQ(stepper.Step(Images(), Labels()).penalty, 0);
  EXPECT_EQ(stepper.steps(), 2);
}

TEST(TrainerAfterFreezing, RefusesToGoOnWithParametersThatAreGone) {
  TestNetwork test;
  TrainerCallbacks callbacks;
  bool stop = true;
  callbacks.progress = [&](const StepSummary&) { return !stop; };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), TestOptions(), {}, callbacks);
  EXPECT_THROW(trainer.Run(), Error);
  stop = false;
  test.network.Freeze();
  try {
    trainer.Run();
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("frozen or loaded since"));
  }
}

TEST(TrainerAfterAStop, RunGoesOnAsIfNothingHadHappened) {
  TestNetwork whole, pieces;
  Trainer(whole.network, TestTrainData(), TestTestData(), TestOptions()).Run();
  int calls = 0;
  TrainerCallbacks callbacks;
  callbacks.progress = [&](const StepSummary&) {
    if (++calls == 3) throw std::runtime_error("a callback's own");
    return calls % 3 != 0;  // an evaluation has two batches and begins anew
  };
  Trainer trainer(pieces.network, TestTrainData(), TestTestData(), TestOptions(), {}, callbacks);
  int stops = 0, throws = 0;
  for (bool done = false; !done;) {
    try {
      trainer.Run();
      done = true;
    } catch (const Error&) {
      ++stops;
    } catch (const std::runtime_error&) {
      ++throws;
    }
  }
  EXPECT_EQ(throws, 1);
  EXPECT_GT(stops, 3);
  EXPECT_EQ(Values(pieces.network), Values(whole.network));
}

}  // namespace
}  // namespace bitgate
