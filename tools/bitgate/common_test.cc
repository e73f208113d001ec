#include "tools/bitgate/common.h"

#include <sstream>

#include "gtest/gtest.h"
#include "tools/bitgate/command_list.h"

namespace bitgate::cli {
namespace {

Command WithCommonFlags(Command command) {
  for (const Flag& flag : CommonFlags()) command.flags.push_back(flag);
  return command;
}

TEST(ResumeCommandTest, GoesOnInTheSameWay) {
  const Command train = WithCommonFlags(TrainCommand());
  EXPECT_EQ(ResumeCommand(Arguments(train, {"-r", "lenet5_float", "-o", "run.safetensors", "--mu=1"}), false),
            "bitgate train --resume --output=run.safetensors");
  EXPECT_EQ(ResumeCommand(Arguments(train, {"-r", "lenet5_float", "--threads=2", "--device", "cuda:0", "--data=my data",
                                            "--compute=tf32", "-o", "it's.safetensors"}),
                          false),
            "bitgate train --resume --output='it'\\''s.safetensors' --data='my data' --device=cuda:0 --compute=tf32 "
            "--threads=2");
}

TEST(ResumeCommandTest, FineTuningNeedsItsFileAndSettings) {
  const Command fine_tune = WithCommonFlags(FineTuneCommand());
  const Arguments arguments(fine_tune, {"a b", "-o", "c", "--epochs=3", "--fine_tune.weights.learning_rate", "1e-4",
                                        "--fine_tune.weights.schedule.step_epochs=1, 2"});
  EXPECT_EQ(ResumeCommand(arguments, true),
            "bitgate fine-tune 'a b' --resume --output=c --epochs=3 --fine_tune.weights.learning_rate=1e-4 "
            "--fine_tune.weights.schedule.step_epochs='1, 2'");
}

// The command that is told is one that is understood.
TEST(ResumeCommandTest, IsUnderstood) {
  const Command fine_tune = WithCommonFlags(FineTuneCommand());
  const std::string told = ResumeCommand(Arguments(fine_tune, {"a", "-oc", "--seed=4", "--threads=1"}), true);
  std::vector<std::string> words;
  std::istringstream text(told.substr(std::string("bitgate fine-tune ").size()));
  for (std::string word; text >> word;) words.push_back(word);
  const Arguments again(fine_tune, words);
  EXPECT_TRUE(again.Has("resume"));
  EXPECT_EQ(ResumeCommand(again, true), told);
}

}  // namespace
}  // namespace bitgate::cli
