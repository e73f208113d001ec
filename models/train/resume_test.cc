// A run that is stopped or killed anywhere ends with the bytes of one that was not.
#include <vector>

#include "gtest/gtest.h"
#include "models/train/test_run.h"

namespace bitgate {
namespace {

// Both phases of two epochs: three steps and two batches of evaluation each.
constexpr int kCalls = 4 * (3 + 2);

RunFiles Uninterrupted() {
  const TestFolder folder;
  EXPECT_TRUE(TrainOnce(folder.File()));
  return ReadRun(folder.File());
}

void ExpectSame(const RunFiles& got, const RunFiles& expected, const std::string& what) {
  EXPECT_TRUE(got.last == expected.last) << what;
  EXPECT_TRUE(got.best == expected.best) << what;
  EXPECT_EQ(got.log, expected.log) << what;
}

TEST(ResumeTest, TwoRunsGiveTheSameBytes) {
  const RunFiles first = Uninterrupted();
  EXPECT_FALSE(first.last.empty());
  EXPECT_FALSE(first.best.empty());
  ExpectSame(Uninterrupted(), first, "second run");
}

TEST(ResumeTest, AnotherSeedGivesOtherBytes) {
  const TestFolder folder;
  TrainerOptions options = TestOptions();
  options.seed = 8;
  TrainOnce(folder.File(), 0, options);
  EXPECT_FALSE(ReadRun(folder.File()).last == Uninterrupted().last);
}

TEST(ResumeTest, StoppedAtAnyStepOrEvaluation) {
  const RunFiles expected = Uninterrupted();
  for (int stop = 1; stop <= kCalls; ++stop) {
    const TestFolder folder;
    EXPECT_FALSE(TrainOnce(folder.File(), stop)) << stop;
    EXPECT_TRUE(TrainOnce(folder.File())) << stop;
    ExpectSame(ReadRun(folder.File()), expected, "stopped at " + std::to_string(stop));
  }
}

TEST(ResumeTest, StoppedAgainAndAgain) {
  const RunFiles expected = Uninterrupted();
  // Less than three calls would stop for ever in the same evaluation of two batches.
  for (const int every : {3, 4, 7}) {
    const TestFolder folder;
    int programs = 1;
    while (!TrainOnce(folder.File(), every)) ASSERT_LT(++programs, 100);
    EXPECT_GT(programs, 2);
    ExpectSame(ReadRun(folder.File()), expected, "stopped every " + std::to_string(every));
  }
}

TEST(ResumeTest, NothingLeftChangesNothing) {
  const TestFolder folder;
  TrainOnce(folder.File());
  const RunFiles files = ReadRun(folder.File());
  EXPECT_TRUE(TrainOnce(folder.File(), 1));  // no callback is called that could stop it
  ExpectSame(ReadRun(folder.File()), files, "resumed at the end");
}

// -- Kills: the states of the files that one can leave behind ---------------------------------------------------------

// The files after each epoch; [0] is before training.
std::vector<RunFiles> Snapshots() {
  const TestFolder folder;
  std::vector<RunFiles> snapshots(1);
  TrainerCallbacks callbacks;
  callbacks.epoch_end = [&](const EpochSummary&) { snapshots.push_back(ReadRun(folder.File())); };
  EXPECT_TRUE(TrainOnce(folder.File(), 0, TestOptions(), callbacks));
  return snapshots;
}

void WriteIfAny(const std::string& path, const std::string& bytes) {
  if (!bytes.empty()) WriteFileAtomically(path, bytes);
}

// What is left when a run goes on from these files.
RunFiles Continued(const RunFiles& files, bool temporaries) {
  const TestFolder folder;
  const std::string output = folder.File();
  WriteIfAny(output, files.last);
  WriteIfAny(BestPath(output), files.best);
  WriteIfAny(LogPath(output), files.log);
  if (temporaries) {
    WriteFileAtomically(output + ".tmp", "half a checkpoint");
    WriteFileAtomically(BestPath(output) + ".tmp", std::string(100000, 'x'));
  }
  EXPECT_TRUE(TrainOnce(output));
  EXPECT_FALSE(FileExists(output + ".tmp"));
  EXPECT_FALSE(FileExists(BestPath(output) + ".tmp"));
  return ReadRun(output);
}

TEST(KillTest, InEveryWindowOfEveryEpoch) {
  const std::vector<RunFiles> snapshots = Snapshots();
  ASSERT_EQ(snapshots.size(), 5u);
  const RunFiles& end = snapshots.back();
  for (size_t epoch = 0; epoch + 1 < snapshots.size(); ++epoch) {
    const RunFiles &before = snapshots[epoch], &after = snapshots[epoch + 1];
    const std::string where = "epoch " + std::to_string(epoch + 1);
    ExpectSame(Continued(before, false), end, where + ", in a step");
    RunFiles files = before;
    files.log = after.log.substr(0, (before.log.size() + after.log.size()) / 2);
    ExpectSame(Continued(files, false), end, where + ", writing the log");
    files.log = after.log;
    ExpectSame(Continued(files, true), end, where + ", after the log, writing the best");
    files.best = after.best;
    ExpectSame(Continued(files, true), end, where + ", after the best, writing the last");
    ExpectSame(Continued(after, false), end, where + ", after the last");
  }
}

// What the windows above take for granted: the log, then the best, then the last.
TEST(KillTest, TheOrderOfWriting) {
  const TestFolder folder;
  const std::string best = BestPath(folder.File());
  RunFiles before;
  TrainerCallbacks callbacks;
  callbacks.log_fields = [&](const EpochSummary& summary) {
    if (summary.phase == Phase::kFineTune) {  // its first epoch is its best so far
      before = ReadRun(folder.File());
      std::filesystem::remove(best);
      std::filesystem::create_directory(best);
    }
    return LogFields();
  };
  EXPECT_THROW(TrainOnce(folder.File(), 0, TestOptions(), callbacks), Error);
  EXPECT_TRUE(ReadFile(folder.File()) == before.last);
  EXPECT_GT(ReadFile(LogPath(folder.File())).size(), before.log.size());
}

TEST(KillTest, WhileTheCheckpointOfAStopIsWritten) {
  const std::vector<RunFiles> snapshots = Snapshots();
  ExpectSame(Continued(snapshots[1], true), snapshots.back(), "the old last stays good");
}

TEST(ResumeTest, ALostLogBeginsAgain) {
  std::vector<RunFiles> snapshots = Snapshots();
  RunFiles files = snapshots[2];
  files.log.clear();
  const RunFiles end = Continued(files, false);
  EXPECT_TRUE(end.last == snapshots.back().last);
  EXPECT_EQ(end.log, snapshots.back().log.substr(snapshots[2].log.size()));
}

// -- Checkpoints that do not fit --------------------------------------------------------------------------------------

std::string ResumeFailure(const std::string& path, const TrainerOptions& options, absl::StatusCode code) {
  TestNetwork test;
  Trainer trainer(test.network, TestTrainData(), TestTestData(), options);
  try {
    trainer.Resume(ReadCheckpoint(path));
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "nothing thrown";
}

TEST(ResumeTest, OtherOptionsThanTheCheckpointsAreRefused) {
  const TestFolder folder;
  TrainOnce(folder.File(), 3);  // three steps of the first epoch
  const auto code = absl::StatusCode::kFailedPrecondition;

  TrainerOptions options = TestOptions();
  options.batch_size = 40;
  EXPECT_EQ(ResumeFailure(folder.File(), options, code),
            folder.File() + ": expected a place within 2 epochs of 1 steps in phase gates, got 0 epochs and 3 steps");

  options = TestOptions();
  options.gates.weights.optimizer = OptimizerKind::kSgd;
  const std::string superfluous = ResumeFailure(folder.File(), options, code);
  EXPECT_NE(superfluous.find("expected no tensor optimizer/"), std::string::npos) << superfluous;
  EXPECT_NE(superfluous.find("_moment"), std::string::npos) << superfluous;
}

TEST(ResumeTest, MoreEpochsThanBefore) {
  const TestFolder folder;
  TrainOnce(folder.File());
  TrainerOptions options = TestOptions();
  options.fine_tune.epochs = 3;
  int epochs = 0;
  TrainerCallbacks callbacks;
  callbacks.epoch_end = [&](const EpochSummary& summary) {
    ++epochs;
    EXPECT_EQ(summary.line, 5);
    EXPECT_EQ(summary.epoch, 3);
  };
  EXPECT_TRUE(TrainOnce(folder.File(), 0, options, callbacks));
  EXPECT_EQ(epochs, 1);
}

}  // namespace
}  // namespace bitgate
