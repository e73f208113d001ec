#include "models/train/log.h"

#include <nlohmann/json.hpp>

#include "gtest/gtest.h"
#include "models/train/test_run.h"

namespace bitgate {
namespace {

EpochSummary Summary(int64_t line) {
  EpochSummary summary{};
  summary.phase = Phase::kGates;
  summary.line = summary.epoch = line;
  summary.epochs = 3;
  summary.test_accuracy = 0.875;
  summary.relative_bops = 0.0123;
  summary.weight_compression = 8.5;
  summary.best = true;
  summary.learning_rates = {0.001, 0.01, 0.1};
  summary.sites = {{"conv1/weight", 4, true, 30, 32}, {"conv1/output", 8, false, 0, 0}};
  return summary;
}

std::string Lines(int64_t first, int64_t last) {
  std::string text;
  for (int64_t line = first; line <= last; ++line) text += FormatLogLine(Summary(line), {});
  return text;
}

TEST(LogTest, ALineIsOneJsonObject) {
  const std::string line = FormatLogLine(Summary(2), {{"seconds", 1.5}});
  EXPECT_EQ(line.find('\n'), line.size() - 1);
  const nlohmann::json object = nlohmann::json::parse(line);
  EXPECT_EQ(object["line"], 2);
  EXPECT_EQ(object["phase"], "gates");
  EXPECT_EQ(object["test_accuracy"], 0.875);
  EXPECT_EQ(object["relative_bops"], 0.0123);
  EXPECT_EQ(object["weight_compression"], 8.5);
  EXPECT_EQ(object["learning_rates"]["gates"], 0.01);
  EXPECT_EQ(object["bits"]["conv1/weight"], 4);
  EXPECT_EQ(object["bits"]["conv1/output"], 8);
  EXPECT_EQ(object["kept_channels"]["conv1/weight"], nlohmann::json::array({30, 32}));
  EXPECT_EQ(object["kept_channels"].size(), 1u);
  EXPECT_EQ(object["seconds"], 1.5);
}

TEST(LogTest, ACallersFieldMayNotHideOne) { EXPECT_THROW(FormatLogLine(Summary(1), {{"bits", 1}}), Error); }

TEST(LogTest, AppendsToWhatIsCovered) {
  const TestFolder folder;
  const std::string path = folder.File("log");
  for (int64_t line = 1; line <= 3; ++line) {
    TrainingLog log(path, line - 1);
    log.Append(Summary(line), {});
  }
  EXPECT_EQ(ReadFile(path), Lines(1, 3));
}

struct Cut {
  std::string text;
  int64_t lines;
  std::string left;
};

TEST(LogTest, CutsBackToTheCheckpoint) {
  const TestFolder folder;
  const std::string path = folder.File("log");
  const std::string torn = Lines(3, 3).substr(0, 20);
  for (const Cut& cut : {
           Cut{Lines(1, 3), 0, ""},
           Cut{Lines(1, 3), 2, Lines(1, 2)},
           Cut{Lines(1, 3), 3, Lines(1, 3)},
           Cut{Lines(1, 2) + torn, 2, Lines(1, 2)},
           Cut{Lines(1, 2) + torn, 3, Lines(1, 2)},
           Cut{Lines(1, 1) + "not json\n" + Lines(2, 2), 2, Lines(1, 1)},
           Cut{Lines(2, 3), 3, ""},
           Cut{"", 3, ""},
       }) {
    WriteFileAtomically(path, cut.text);
    const TrainingLog log(path, cut.lines);
    EXPECT_EQ(ReadFile(path), cut.left) << cut.text << " to " << cut.lines;
  }
}

TEST(LogTest, SaysWhatIsWrongWithThePath) {
  const TestFolder folder;
  try {
    TrainingLog log(folder.File("no/log"), 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kNotFound);
    EXPECT_NE(std::string(error.what()).find("no/log: expected to append to it"), std::string::npos);
  }
  EXPECT_THROW(TrainingLog(folder.File("."), 0), Error);
}

}  // namespace
}  // namespace bitgate
