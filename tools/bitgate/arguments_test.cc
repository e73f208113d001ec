#include "tools/bitgate/arguments.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bitgate::cli {
namespace {

using ::testing::HasSubstr;

Command Train() {
  Command command;
  command.name = "train";
  command.usage = "FILE --output=FILE";
  command.positionals = 1;
  command.flags = CommonFlags();
  command.flags.push_back({"output", 'o', "FILE", ""});
  command.flags.push_back({"batch_size", 0, "N", "", "training.batch_size"});
  command.flags.push_back({"dry_run", 'n', "", ""});
  command.takes_settings = true;
  return command;
}

std::string MessageOf(const std::vector<std::string>& words) {
  const Command command = Train();
  try {
    Arguments(command, words).GetInteger("threads", 0, 1, 8);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

TEST(ArgumentsTest, TakesEveryFormOfAValue) {
  const Command command = Train();
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"a", "--output=x"}, {"--output", "x", "a"}, {"-o", "x", "a"}, {"-ox", "a"}, {"a", "-o=x"}}) {
    const Arguments arguments(command, words);
    EXPECT_EQ(arguments.Get("output"), "x");
    EXPECT_EQ(arguments.positional(0), "a");
    EXPECT_FALSE(arguments.Has("dry_run"));
  }
  EXPECT_TRUE(Arguments(command, {"a", "--dry-run"}).Has("dry_run"));
  EXPECT_EQ(Arguments(command, {"--", "--a"}).positional(0), "--a");
  EXPECT_EQ(Arguments(command, {"a", "--output", "-5"}).Get("output"), "-5");
}

TEST(ArgumentsTest, ShortFlagsAndDottedNamesAreSettings) {
  const Command command = Train();
  const Arguments arguments(command, {"a", "--batch-size=3", "--quantizer.mu", "0.5", "--training.batch-size=4"});
  ASSERT_EQ(arguments.settings().size(), 3u);
  EXPECT_EQ(arguments.settings()[0].path, "training.batch_size");
  EXPECT_EQ(arguments.settings()[0].value, "3");
  EXPECT_EQ(arguments.settings()[0].origin, "--batch-size");
  EXPECT_EQ(arguments.settings()[1].path, "quantizer.mu");
  EXPECT_EQ(arguments.settings()[2].path, "training.batch_size");
}

TEST(ArgumentsTest, AFileOrNone) {
  Command command = Train();
  EXPECT_THROW(Arguments(command, {}), UsageError);
  command.or_none = true;
  EXPECT_EQ(Arguments(command, {}).positionals(), 0);
  EXPECT_EQ(Arguments(command, {"a"}).positional(0), "a");
  EXPECT_THROW(Arguments(command, {"a", "b"}), UsageError);
}

TEST(ArgumentsTest, SaysWhatIsWrong) {
  EXPECT_THAT(MessageOf({"a", "--ouput=x"}), HasSubstr("unknown flag --ouput; did you mean --output?"));
  EXPECT_THAT(MessageOf({"a", "--epoch=3"}), HasSubstr("did you mean --training.epochs?"));
  EXPECT_THAT(MessageOf({"a", "-x"}), HasSubstr("unknown flag -x"));
  EXPECT_THAT(MessageOf({"a", "--output"}), HasSubstr("--output expects a value"));
  EXPECT_THAT(MessageOf({"a", "--dry_run=1"}), HasSubstr("--dry_run takes no value"));
  EXPECT_THAT(MessageOf({"a", "-o", "x", "--output=y"}), HasSubstr("--output is given twice"));
  EXPECT_THAT(MessageOf({}), HasSubstr("expected 1 file"));
  EXPECT_THAT(MessageOf({"a", "b"}), HasSubstr("got 2, the last 'b'"));
  EXPECT_THAT(MessageOf({"a", "--threads=9"}), HasSubstr("--threads expects a number from 1 to 8, got '9'"));
  EXPECT_THAT(MessageOf({"a", "--threads=2x"}), HasSubstr("got '2x'"));
}

TEST(ArgumentsTest, ASettingNeedsACommandThatTakesThem) {
  Command command = Train();
  command.takes_settings = false;
  EXPECT_THROW(Arguments(command, {"a", "--training.epochs=3"}), UsageError);
}

}  // namespace
}  // namespace bitgate::cli
