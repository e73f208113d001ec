#include "models/jobs/suggest.h"

#include "gtest/gtest.h"

namespace bitgate::jobs {
namespace {

const std::vector<std::string> kKnown = {"data", "output", "resume", "training.epochs", "training.batch_size"};

TEST(SuggestTest, FindsTheNearestName) {
  EXPECT_EQ(Closest("ouput", kKnown), "output");
  EXPECT_EQ(Closest("dta", kKnown), "data");
  EXPECT_EQ(Closest("training.epoch", kKnown), "training.epochs");
}

TEST(SuggestTest, ALastPartIsNearTheWholeName) { EXPECT_EQ(Closest("epoch", kKnown), "training.epochs"); }

TEST(SuggestTest, SaysNothingAboutNamesUnlikeAny) {
  EXPECT_EQ(Closest("zzz", kKnown), "");
  EXPECT_EQ(Closest("verbosity", kKnown), "");
  EXPECT_EQ(Closest("x", {}), "");
}

}  // namespace
}  // namespace bitgate::jobs
