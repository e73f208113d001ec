#include "models/train/trainer.h"

#include <cmath>
#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/train/test_run.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

using ::testing::HasSubstr;

std::vector<EpochSummary> Train(const TrainerOptions& options, const QuantizerConfig& quantizer = TestQuantizer()) {
  TestNetwork test(1, TestGraph(), quantizer);
  std::vector<EpochSummary> epochs;
  TrainerCallbacks callbacks;
  callbacks.epoch_end = [&](const EpochSummary& summary) { epochs.push_back(summary); };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options, {}, callbacks);
  trainer.Run();
  return epochs;
}

TEST(TrainerTest, LearnsAndTellsWhatItDid) {
  TrainerOptions options = TestOptions();
  options.gates.epochs = 30;
  QuantizerConfig quantizer = TestQuantizer();
  quantizer.set_mu(0.001);
  quantizer.set_initial_gate(3);
  const std::vector<EpochSummary> epochs = Train(options, quantizer);
  ASSERT_EQ(epochs.size(), 32u);
  EXPECT_LT(epochs[29].train_loss, epochs[0].train_loss / 2);
  EXPECT_GE(epochs[31].test_accuracy, 0.8);

  const EpochSummary& first = epochs[0];
  EXPECT_EQ(first.phase, Phase::kGates);
  EXPECT_EQ(first.epoch, 1);
  EXPECT_EQ(first.epochs, 30);
  EXPECT_EQ(first.global_step, 3);
  EXPECT_GT(first.train_penalty, 0);
  EXPECT_GT(first.penalty, 0);
  EXPECT_EQ(first.objective, first.test_loss + first.penalty);
  EXPECT_TRUE(first.best);
  EXPECT_GT(first.relative_bops, 0);
  EXPECT_GT(first.bytes, 0);
  EXPECT_EQ(first.learning_rates[0], 0.01);
  EXPECT_EQ(first.learning_rates[1], 0.05);
  ASSERT_EQ(first.sites.size(), 5u);  // three weights, two activations
  EXPECT_EQ(first.sites[0].name, "conv1/weight");
  EXPECT_EQ(first.sites[0].channels, 4);
  // The last step but 29 epochs of the last third of 90 steps is step 89 of 90: 3 (90 - 89) / 90.
  EXPECT_DOUBLE_EQ(epochs[29].learning_rates[0], 0.01 * 3 / 90);

  const EpochSummary& last = epochs[31];
  EXPECT_EQ(last.phase, Phase::kFineTune);
  EXPECT_EQ(last.epoch, 2);
  EXPECT_EQ(last.line, 32);
  EXPECT_EQ(last.train_penalty, 0);
  EXPECT_EQ(last.objective, last.test_loss);
  EXPECT_TRUE(epochs[30].best);  // each phase starts anew
  EXPECT_EQ(epochs[30].relative_bops, last.relative_bops);
}

TEST(TrainerTest, AFloatNetworkHasNoPenalty) {
  const std::vector<EpochSummary> epochs = Train(TestOptions(), TestQuantizer("float"));
  ASSERT_EQ(epochs.size(), 4u);
  EXPECT_EQ(epochs[0].train_penalty, 0);
  EXPECT_EQ(epochs[0].objective, epochs[0].test_loss);
}

TEST(TrainerTest, FreezesBetweenThePhases) {
  TestNetwork test;
  int frozen = 0;
  TrainerCallbacks callbacks;
  callbacks.frozen = [&](const FreezeReport& report) {
    ++frozen;
    EXPECT_EQ(report.sites.size(), 5u);
    EXPECT_TRUE(test.network.frozen());
  };
  callbacks.progress = [&](const StepSummary& summary) {
    EXPECT_EQ(test.network.frozen(), summary.phase == Phase::kFineTune);
    return true;
  };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), TestOptions(), {}, callbacks);
  trainer.Run();
  EXPECT_EQ(frozen, 1);
}

TEST(TrainerTest, WithoutFineTuningTheNetworkStaysOpen) {
  TestNetwork test;
  TrainerOptions options = TestOptions();
  options.fine_tune.epochs = 0;
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options);
  trainer.Run();
  EXPECT_FALSE(test.network.frozen());
  EXPECT_EQ(trainer.progress().total_epochs, 2);
}

TEST(TrainerTest, AFrozenNetworkBeginsWithFineTuning) {
  const TestFolder folder;
  {
    TestNetwork test;
    TrainerOptions options = TestOptions();
    options.fine_tune.epochs = 0;
    Trainer(test.network, TestTrainData(), TestTestData(), options).Run();
    test.network.Freeze();
    WriteCheckpoint(folder.File(), CaptureNetwork(test.network, ""));
  }
  TestNetwork test(5);
  std::vector<Phase> phases;
  TrainerCallbacks callbacks;
  callbacks.epoch_end = [&](const EpochSummary& summary) { phases.push_back(summary.phase); };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), TestOptions(), {}, callbacks);
  trainer.Resume(ReadCheckpoint(folder.File()));
  trainer.Run();
  EXPECT_EQ(phases, std::vector<Phase>(2, Phase::kFineTune));
}

TEST(TrainerTest, ProgressCountsStepsAndImages) {
  TestNetwork test;
  std::vector<StepSummary> seen;
  TrainerCallbacks callbacks;
  callbacks.progress = [&](const StepSummary& summary) {
    seen.push_back(summary);
    return true;
  };
  Trainer(test.network, TestTrainData(), TestTestData(), TestOptions(), {}, callbacks).Run();
  ASSERT_EQ(seen.size(), 20u);
  EXPECT_EQ(seen[0].step, 1);
  EXPECT_EQ(seen[0].steps, 3);
  // On a GPU results come later than the steps; at the end of an epoch they are all there.
  const bool at_once = !test.context.backend().can_capture();
  EXPECT_THAT(seen[0].images, ::testing::AnyOf(16, at_once ? 16 : 0));
  EXPECT_THAT(seen[2].images, ::testing::AnyOf(40, at_once ? 40 : 32, at_once ? 40 : 16, at_once ? 40 : 0));
  EXPECT_EQ(seen[3].images, 40);
  EXPECT_EQ(seen[2].images_per_epoch, 40);
  EXPECT_FALSE(seen[2].evaluating);
  EXPECT_TRUE(seen[3].evaluating);
  EXPECT_EQ(seen[3].evaluated_images, 16);
  EXPECT_EQ(seen[4].evaluated_images, 20);
  EXPECT_EQ(seen[5].epoch, 2);
  EXPECT_THAT(seen[5].images, ::testing::AnyOf(16, at_once ? 16 : 0));
  for (const StepSummary& summary : seen) EXPECT_EQ(summary.total_steps, 12);
  EXPECT_EQ(seen[12].phase, Phase::kFineTune);
  EXPECT_EQ(seen[12].total_steps_done, 9);
}

#if defined(BG_CUDA_EMULATED)
// The third step is the first of its batch size, and the GPU has nothing left for it.
TEST(TrainerTest, AGpuThatIsOutOfMemoryEndsTheRunAndLeavesTheLastCheckpoint) {
  if (testing::TestDevice().type != DeviceType::kCuda) GTEST_SKIP() << "BITGATE_TEST_DEVICE is no GPU";
  const TestFolder folder;
  TrainOnce(folder.File(), 6);  // after the first step of the second epoch
  const RunFiles before = ReadRun(folder.File());
  {
    TestNetwork test;
    TrainerCallbacks callbacks;
    callbacks.progress = [](const StepSummary&) { return setenv("BITGATE_EMULATED_GPU_BYTES", "1", 1) == 0; };
    Trainer trainer(test.network, TestTrainData(), TestTestData(), TestOptions(), {folder.File(), "batch_size: 16"},
                    callbacks);
    trainer.Resume(ReadCheckpoint(folder.File()));
    try {
      trainer.Run();
      ADD_FAILURE() << "expected it to run out of memory";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kResourceExhausted) << error.what();
      EXPECT_THAT(error.what(), HasSubstr("training: out of memory on cuda:0: asked for "));
      EXPECT_THAT(error.what(), HasSubstr(" free on the device, in phase gates, epoch 2, after step 2 of 3; smaller "));
      EXPECT_THAT(error.what(), HasSubstr("the last checkpoint is as it was before this epoch"));
    }
  }
  unsetenv("BITGATE_EMULATED_GPU_BYTES");
  EXPECT_TRUE(ReadRun(folder.File()) == before);
  EXPECT_TRUE(TrainOnce(folder.File()));
}
#endif

// -- Memory ----------------------------------------------------------------------------------------------------------

TEST(TrainerTest, AfterTheFirstStepOfEachShapeThePoolAsksForNothing) {
  TestNetwork test;
  std::vector<int64_t> allocations;
  TrainerOptions options = TestOptions();
  options.gates.epochs = 3;
  const Trainer* running = nullptr;
  TrainerCallbacks callbacks;
  callbacks.progress = [&](const StepSummary& summary) {
    if (summary.phase == Phase::kGates) {
      allocations.push_back(test.context.pool()->statistics().system_allocations +
                            running->captured_memory().system_allocations);
    }
    return true;
  };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options, {}, callbacks);
  running = &trainer;
  trainer.Run();
  ASSERT_EQ(allocations.size(), 15u);
  EXPECT_GT(allocations[0], 0);
  EXPECT_EQ(allocations[1], allocations[0]);  // the same shape again
  for (size_t i = 5; i < allocations.size(); ++i) EXPECT_EQ(allocations[i], allocations[4]) << i;
}

// -- Failures --------------------------------------------------------------------------------------------------------

std::string RunFailure(double scale, const TrainerFiles& files, absl::StatusCode code) {
  TestNetwork test(1, TestGraph(4, scale), TestQuantizer("float"));
  try {
    Trainer(test.network, TestTrainData(), TestTestData(), TestOptions(), files).Run();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "nothing thrown";
}

void SpoilBias(TestNetwork& test) {
  const Tensor first = SliceView(test.network.parameter("fc2/bias").value, 0, 0, 1);
  CopyInto(test.context, first, FromHost<float>(test.context, {std::nanf("")}, {1}));
}

TEST(TrainerTest, ALossThatIsNotFiniteEndsTheRun) {
  TestNetwork test;
  SpoilBias(test);
  try {
    Trainer(test.network, TestTrainData(), TestTestData(), TestOptions()).Run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(error.what(), HasSubstr("expected finite losses and parameters, got cross-entropy nan and penalty "));
    EXPECT_THAT(error.what(), HasSubstr("in phase gates, epoch 1, after step 0 of 3; a lower learning rate"));
  }
}

// Several steps may be queued behind it: none may be taken for one that has learned.
TEST(TrainerTest, AfterALossThatIsNotFiniteAnotherRunMeetsItAgain) {
  TestNetwork test;
  SpoilBias(test);
  Trainer trainer(test.network, TestTrainData(), TestTestData(), TestOptions());
  for (int run = 0; run < 2; ++run) {
    try {
      trainer.Run();
      FAIL();
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("got cross-entropy nan and penalty "));
      EXPECT_THAT(error.what(), HasSubstr("epoch 1, after step 0 of 3"));
    }
  }
}

// Infinite pixels: the relu after the convolution makes finite values of them, but the weights are spoilt.
TEST(TrainerTest, ParametersThatAreNotFiniteAreNotSaved) {
  const TestFolder folder;
  const std::string message = RunFailure(/*scale=*/1e38, {folder.File(), ""}, absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(message, HasSubstr("training: expected finite losses and parameters, got "));
  EXPECT_THAT(message, HasSubstr("in phase gates, epoch 1, after step "));
  EXPECT_EQ(ReadRun(folder.File()).last + ReadRun(folder.File()).best + ReadRun(folder.File()).log, "");
}

TEST(TrainerTest, AFailingRunLeavesTheLastCheckpoint) {
  const TestFolder folder;
  TrainOnce(folder.File(), 7);  // in the second epoch
  const RunFiles before = ReadRun(folder.File());
  TestNetwork test;
  TrainerOptions options = TestOptions();
  TrainerCallbacks callbacks;
  // Whatever made it so, the parameters are no numbers any more.
  callbacks.progress = [&](const StepSummary&) {
    SpoilBias(test);
    return true;
  };
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options, {folder.File(), "batch_size: 16"}, callbacks);
  trainer.Resume(ReadCheckpoint(folder.File()));
  try {
    trainer.Run();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("the last checkpoint is as it was before this epoch"));
  }
  EXPECT_TRUE(ReadRun(folder.File()) == before);
}

TEST(TrainerTest, UnwritableOutputShowsBeforeTheFirstStep) {
  const TestFolder folder;
  EXPECT_THAT(RunFailure(1, {folder.File("no/such/run.safetensors"), ""}, absl::StatusCode::kNotFound),
              HasSubstr("no/such/run.safetensors"));
  EXPECT_THAT(RunFailure(1, {folder.File("."), ""}, absl::StatusCode::kInvalidArgument),
              HasSubstr("expected a regular file"));
}

TEST(TrainerTest, ResumingOnOtherImagesIsRefused) {
  const TestFolder folder;
  TrainOnce(folder.File(), 2);
  TestNetwork test;
  Trainer trainer(test.network, TestData(40, 5), TestTestData(), TestOptions(), {folder.File(), "batch_size: 16"});
  try {
    trainer.Resume(ReadCheckpoint(folder.File()));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_NE(std::string(error.what()).find("expected the images that the run began with (train 40 6x6x1 "),
              std::string::npos)
        << error.what();
  }
}

TEST(TrainerTest, RefusesDataAndOptionsThatDoNotFit) {
  TestNetwork test;
  const auto failure = [&](const Dataset& train, const TrainerOptions& options) -> std::string {
    try {
      Trainer trainer(test.network, train, TestTestData(), options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
      return error.what();
    }
    return "nothing thrown";
  };
  const Dataset small = Dataset::FromArrays({2, 2, 1}, std::vector<uint8_t>(4), {0});
  EXPECT_EQ(failure(small, TestOptions()),
            "training images: expected images of the input shape [6, 6, 1] of network 'tiny', got [2, 2, 1]");
  const Dataset classes = Dataset::FromArrays({6, 6, 1}, std::vector<uint8_t>(36), {3});
  EXPECT_EQ(failure(classes, TestOptions()),
            "training images: expected labels of the 3 classes that network 'tiny' tells apart, got 4 classes");
  TrainerOptions options = TestOptions();
  options.batch_size = 0;
  EXPECT_THAT(failure(TestTrainData(), options), HasSubstr("batch_size"));
  options = TestOptions();
  options.evaluation_batch_size = 0;
  EXPECT_THAT(failure(TestTrainData(), options), HasSubstr("evaluation_batch_size"));
  options = TestOptions();
  options.gates.epochs = -1;
  EXPECT_EQ(failure(TestTrainData(), options), "phase gates: expected epochs of at least 0, got -1");
  options = TestOptions();
  options.fine_tune.ranges.learning_rate = std::nan("");
  EXPECT_THAT(failure(TestTrainData(), options), HasSubstr("phase fine_tune: ranges: expected learning_rate in"));
  options = TestOptions();
  options.gates.weights.optimizer = OptimizerKind::kSgd;
  options.gates.weights.nesterov = true;
  EXPECT_THAT(failure(TestTrainData(), options), HasSubstr("phase gates: weights: expected momentum above 0"));
}

}  // namespace
}  // namespace bitgate
