#include "models/train/progress.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using ::testing::HasSubstr;

TrainingProgress Example() {
  TrainingProgress progress;
  progress.phase = Phase::kFineTune;
  progress.epoch = 2;
  progress.batch = 17;
  progress.total_epochs = 12;
  progress.global_step = 5000;
  progress.images = 2176;
  progress.correct = 2000;
  progress.loss_sum = 0.1 + 0.2;
  progress.penalty_sum = 1e-310;
  return progress;
}

std::string Failure(const std::string& text) {
  try {
    ProgressFromText("run.safetensors: progress", text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kDataLoss);
    return error.what();
  }
  return "nothing thrown";
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  EXPECT_NE(text.find(from), std::string::npos) << from;
  return text.replace(text.find(from), from.size(), to);
}

TEST(ProgressTest, TextIsExact) {
  const TrainingProgress progress = Example();
  const TrainingProgress back = ProgressFromText("x", ToText(progress));
  EXPECT_EQ(back.phase, progress.phase);
  EXPECT_EQ(back.epoch, progress.epoch);
  EXPECT_EQ(back.batch, progress.batch);
  EXPECT_EQ(back.total_epochs, progress.total_epochs);
  EXPECT_EQ(back.global_step, progress.global_step);
  EXPECT_EQ(back.images, progress.images);
  EXPECT_EQ(back.correct, progress.correct);
  EXPECT_EQ(back.loss_sum, progress.loss_sum);
  EXPECT_EQ(back.penalty_sum, progress.penalty_sum);
  EXPECT_EQ(back.best_objective, progress.best_objective);  // infinity
  EXPECT_EQ(ToText(back), ToText(progress));
}

TEST(ProgressTest, SaysWhatIsWrong) {
  const std::string good = ToText(Example());
  EXPECT_THAT(Failure("{"), HasSubstr("run.safetensors: progress: expected a JSON object"));
  EXPECT_THAT(Failure(std::string(5000, '[')), HasSubstr("at most 4096 characters, got 5000"));
  EXPECT_THAT(Failure(Replaced(good, "\"batch\"", "\"other\"")), HasSubstr("expected the field 'batch'"));
  EXPECT_THAT(Failure(Replaced(good, "\"batch\":17", "\"batch\":-1")), HasSubstr("field 'batch'"));
  EXPECT_THAT(Failure(Replaced(good, "\"batch\":17", "\"batch\":1e300")), HasSubstr("got 1e+300"));
  EXPECT_THAT(Failure(Replaced(good, "\"batch\":17", "\"batch\":9223372036854775807")), HasSubstr("2^53"));
  EXPECT_THAT(Failure(Replaced(good, "fine_tune", "tune")), HasSubstr("field 'phase'"));
  EXPECT_THAT(Failure(Replaced(good, "\"inf\"", "\"nan\"")), HasSubstr("field 'best_objective'"));
  EXPECT_THAT(Failure(Replaced(good, "\"inf\"", "\"1.5\"")), HasSubstr("hexadecimal"));
  EXPECT_THAT(Failure(Replaced(good, "\"correct\":2000", "\"correct\":3000")), HasSubstr("correct images within all"));
}

}  // namespace
}  // namespace bitgate
