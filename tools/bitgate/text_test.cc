#include "tools/bitgate/text.h"

#include "gtest/gtest.h"

namespace bitgate::cli {
namespace {

TEST(TextTest, Durations) {
  EXPECT_EQ(Duration(0.4), "0 s");
  EXPECT_EQ(Duration(59.6), "1 min 00 s");
  EXPECT_EQ(Duration(185), "3 min 05 s");
  EXPECT_EQ(Duration(7620), "2 h 07 min");
  EXPECT_EQ(Duration(-1), "0 s");
}

TEST(TextTest, Percents) { EXPECT_EQ(Percent(0.00359), "0.36 %"); }

TEST(TextTest, QuotesWhatAShellWouldTakeApart) {
  EXPECT_EQ(ShellQuoted("runs/a-1.safetensors"), "runs/a-1.safetensors");
  EXPECT_EQ(ShellQuoted("1e-4,2"), "1e-4,2");
  EXPECT_EQ(ShellQuoted("my run"), "'my run'");
  EXPECT_EQ(ShellQuoted("~/$HOME;x"), "'~/$HOME;x'");
  EXPECT_EQ(ShellQuoted("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellQuoted(""), "''");
}

TEST(TextTest, MessagesAreOneLine) { EXPECT_EQ(OneLine("a\nb\n"), "a; b"); }

TEST(TextTest, FreezingIsSummedUp) {
  FreezeReport report;
  report.sites = {{"a/weight", 4, 2, 3, 5, 100}, {"b/weight", 2, 1, 1, 2, 50}};
  report.notes = {"note"};
  const std::vector<std::string> lines = FreezeLines(report);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("7 of 150 weight codes"), std::string::npos);
  EXPECT_EQ(lines[1], "frozen: note");
}

}  // namespace
}  // namespace bitgate::cli
