#include "models/train/evaluate.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "models/train/test_run.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// Two features that are the logits, as the preprocessing leaves them: (x - 1) / 2.
Graph LogitsGraph() {
  GraphBuilder b("logits");
  const std::string x = b.Input({2}, Normalized(1, {1, 1}, {2, 2}));
  b.Node("fc", "linear", {x}, {{"channels", 2}});
  return b.Build();
}

Dataset LogitsData() {
  return Dataset::FromArrays({1, 1, 2}, std::vector<float>{3, 1, 1, 3, 1, 1, 1, 3, 3, 1}, {0, 1, 0, 0, 0}, 2);
}

class EvaluateTest : public ::testing::Test {
 protected:
  EvaluateTest() : test_(1, LogitsGraph(), TestQuantizer("float")) {
    Network& network = test_.network;
    CopyInto(test_.context, network.parameter("fc/weight").value, FromHost<float>(test_.context, {1, 0, 0, 1}, {2, 2}));
    CopyInto(test_.context, network.parameter("fc/bias").value, FromHost<float>(test_.context, {0, 0}, {2}));
  }
  TestNetwork test_;
};

TEST_F(EvaluateTest, CountsOverAllBatches) {
  for (const int64_t batch_size : {1, 2, 5, 100}) {
    EvaluationOptions options;
    options.batch_size = batch_size;
    options.predictions = true;
    const EvaluationResult result = Evaluate(test_.network, LogitsData(), options);
    EXPECT_EQ(result.images, 5);
    EXPECT_EQ(result.correct, 4);
    EXPECT_EQ(result.accuracy(), 0.8);
    EXPECT_EQ(result.predictions, (std::vector<int32_t>{0, 1, 0, 1, 0}));
    // Logits differ by 1 in favour of the label, three times; by 0; and by 1 against it.
    const double expected = (3 * std::log1p(std::exp(-1)) + std::log(2) + std::log1p(std::exp(1))) / 5;
    EXPECT_NEAR(result.cross_entropy, expected, 1e-6);
  }
}

// The network is flat: its two means belong to features, wherever in an image they come from.
TEST_F(EvaluateTest, AFlatNetworkHasAMeanForEveryFeatureOfAnImage) {
  const Dataset tall =
      Dataset::FromArrays({2, 1, 1}, std::get<std::vector<float>>(LogitsData().pixels()), LogitsData().labels(), 2);
  const EvaluationResult result = Evaluate(test_.network, tall);
  EXPECT_EQ(result.correct, 4);
  EXPECT_EQ(result.cross_entropy, Evaluate(test_.network, LogitsData()).cross_entropy);
}

// Results are read from the device every thousand batches or so.
TEST_F(EvaluateTest, MoreBatchesThanAreReadAtOnce) {
  constexpr int64_t kImages = 2500;
  std::vector<float> pixels;
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < kImages; ++i) {
    pixels.insert(pixels.end(), {1 + 0.25f * static_cast<float>(i % 7), 1.5f});
    labels.push_back(i % 3 == 0);
  }
  const Dataset dataset = Dataset::FromArrays({1, 1, 2}, pixels, labels, 2);
  EvaluationOptions one, all;
  one.batch_size = 1;
  all.batch_size = kImages;
  int64_t calls = 0;
  one.progress = [&](int64_t images) { return images == ++calls; };
  const EvaluationResult by_one = Evaluate(test_.network, dataset, one);
  const EvaluationResult at_once = Evaluate(test_.network, dataset, all);
  EXPECT_EQ(calls, kImages);
  EXPECT_EQ(by_one.images, kImages);
  EXPECT_EQ(by_one.correct, at_once.correct);
  EXPECT_NEAR(by_one.cross_entropy, at_once.cross_entropy, 1e-5);
}

TEST_F(EvaluateTest, AFeederServesAgainAndAgain) {
  LoaderOptions loading;
  loading.batch_size = 2;
  EvaluationOptions options;
  options.batch_size = 2;
  options.predictions = true;
  const EvaluationResult expected = Evaluate(test_.network, LogitsData(), options);
  for (const int64_t limit : {-1, 0}) {
    Feeder feeder(test_.context, test_.network.graph(), LogitsData(), loading, {limit});
    for (int time = 0; time < 3; ++time) {
      const EvaluationResult result = Evaluate(test_.network, feeder, options);
      EXPECT_EQ(result.images, expected.images);
      EXPECT_EQ(result.correct, expected.correct);
      EXPECT_EQ(result.cross_entropy, expected.cross_entropy);
      EXPECT_EQ(result.predictions, expected.predictions);
    }
  }
}

TEST_F(EvaluateTest, PredictionsOnlyWhenAskedFor) {
  EXPECT_TRUE(Evaluate(test_.network, LogitsData()).predictions.empty());
}

TEST_F(EvaluateTest, ProgressCanStopIt) {
  EvaluationOptions options;
  options.batch_size = 2;
  std::vector<int64_t> seen;
  options.progress = [&](int64_t images) {
    seen.push_back(images);
    return images < 4;
  };
  try {
    Evaluate(test_.network, LogitsData(), options);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kCancelled);
    EXPECT_STREQ(error.what(), "evaluate: stopped on request after 4 of 5 images");
  }
  EXPECT_EQ(seen, (std::vector<int64_t>{2, 4}));
}

TEST_F(EvaluateTest, RefusesWhatDoesNotFit) {
  const Dataset images = Dataset::FromArrays({1, 1, 3}, std::vector<float>(3), {0});
  EXPECT_THROW(Evaluate(test_.network, images), Error);
  const Dataset labels = Dataset::FromArrays({1, 1, 2}, std::vector<float>(2), {2});
  EXPECT_THROW(Evaluate(test_.network, labels), Error);
}

}  // namespace
}  // namespace bitgate
