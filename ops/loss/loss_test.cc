#include "ops/loss/loss.h"

#include <algorithm>

#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::ExpectClose;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::Reference;

std::vector<int32_t> Labels(int64_t rows, int64_t classes) {
  std::vector<int32_t> labels(rows);
  for (int64_t r = 0; r < rows; ++r) labels[r] = static_cast<int32_t>((r * 7 + 3) % classes);
  return labels;
}

// The inside of the loss is in double, so only the rounding of the result (half an epsilon) is left; 0.01 epsilons are
// for the double's own.
constexpr double kTolerance = 0.51;

void CheckLoss(Context& context, const std::vector<float>& logits, int64_t rows, int64_t classes, float grad_loss) {
  const auto label = Labels(rows, classes);
  Reference loss(1), grad(rows * classes);
  for (int64_t r = 0; r < rows; ++r) {
    const float* row = &logits[r * classes];
    const double maximum = *std::max_element(row, row + classes);
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) sum += std::exp(row[c] - maximum);
    loss.Add(0, (std::log(sum) + maximum - row[label[r]]) / rows);
    for (int64_t c = 0; c < classes; ++c) {
      const double softmax = std::exp(row[c] - maximum) / sum;
      grad.Add(r * classes + c, grad_loss * (softmax - (c == label[r])) / rows);
      // 1 - softmax cancels to the double's epsilon, and floats end at 1e-45.
      grad.magnitude[r * classes + c] += 1e-9 / rows * grad_loss;
    }
  }
  loss.magnitude[0] += 1e-9;
  const auto results = testing::RunWithGradients(
      context, [](Context& c, const std::vector<Tensor>& in) { return SoftmaxCrossEntropy(c, in[0], in[1]); },
      {FromHost(context, logits, {rows, classes}), FromHost(context, label, {rows})},
      FromHost<float>(context, {grad_loss}, {}));
  EXPECT_EQ(results[0].shape(), Shape{});
  ExpectClose(context, results[0], loss, kTolerance, "loss");
  ExpectClose(context, results[1], grad, 2 * kTolerance, "grad_logits");  // times grad_loss: another rounding
}

TEST(SoftmaxCrossEntropy, ForwardAndGradient) {
  testing::TestContext context;
  for (const auto& [rows, classes] : std::vector<std::pair<int64_t, int64_t>>{
           {1, 1}, {1, 2}, {3, 15}, {128, 10}, {33, 17}, {70, 1000}, {3, 4095}, {2, 4096}, {8300, 3}}) {
    CheckLoss(context, testing::RandomValues(rows * classes, 1, -4, 4), rows, classes, 1.0f);
    CheckLoss(context, testing::RandomValues(rows * classes, 2, -4, 4), rows, classes, 0.3f);
  }
}

TEST(SoftmaxCrossEntropy, StableForLargeLogits) {
  testing::TestContext context;
  CheckLoss(context, {1e4f, -1e4f, 3e38f, -3e38f, 0, 0}, 3, 2, 1.0f);
}

TEST(SoftmaxCrossEntropy, NaNReachesTheLoss) {
  testing::TestContext context;
  const Tensor loss =
      SoftmaxCrossEntropy(context, FromHost<float>(context, {0, NAN, 1}, {1, 3}), FromHost<int32_t>(context, {0}, {1}));
  EXPECT_TRUE(std::isnan(ToHost<float>(context, loss)[0]));
}

TEST(SoftmaxCrossEntropy, IsTheSameAgain) {
  testing::TestContext context;
  const Tensor logits = RandomTensor(context, {1000, 37}, 3, -4, 4);
  const Tensor labels = FromHost(context, Labels(1000, 37), {1000});
  const auto once = [&] {
    return testing::BitsOf(ToHost<float>(context, SoftmaxCrossEntropy(context, logits, labels)));
  };
  const auto first = once();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(once(), first);
}

TEST(CountCorrect, FirstOfEqualLogitsCounts) {
  testing::TestContext context;
  const Tensor logits = FromHost<float>(context, {1, 2, 0, 5, 5, 5, 0, 3, 3}, {3, 3});
  const auto count = [&](std::vector<int32_t> labels) {
    return CountCorrect(context, logits, FromHost(context, labels, {3}));
  };
  EXPECT_EQ(count({1, 0, 1}), 3);
  EXPECT_EQ(count({1, 2, 2}), 1);
  EXPECT_EQ(count({0, 1, 0}), 0);
  EXPECT_EQ(CountCorrect(context, Zeros(context, {0, 3}), Zeros(context, {0}, DType::kInt32)), 0);
}

// As std::max_element finds it, which meets a NaN nowhere but in front.
TEST(CountCorrect, SameBitsOnEveryDevice) {
  testing::TestContext context;
  for (const auto& [rows, classes] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {9, 10}, {200, 33}, {17, 1000}, {3, 5000}, {9000, 2}}) {
    auto logits = testing::RandomValues(rows * classes, 5);
    for (float& value : logits) value = std::floor(value * 8);  // many are equal
    logits[0] = NAN;
    logits[logits.size() / 2] = NAN;
    for (int64_t c = 0; c < classes && rows > 2; ++c) logits[(rows - 2) * classes + c] = -INFINITY;
    std::vector<int32_t> labels(rows);
    int32_t expected = 0;
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = &logits[r * classes];
      const auto place = static_cast<int32_t>(std::max_element(row, row + classes) - row);
      labels[r] = r % 3 == 0 && classes > 1 ? static_cast<int32_t>((place + 1) % classes) : place;
      expected += labels[r] == place;
    }
    const Tensor count = FromHost<int32_t>(context, {-7}, {1});
    CountCorrectInto(context, count, FromHost(context, logits, {rows, classes}), FromHost(context, labels, {rows}));
    EXPECT_EQ(ToHost<int32_t>(context, count)[0], expected) << rows << " x " << classes;
  }
}

TEST(Loss, LabelsOutsideTheClassesAreNaNOnAGpu) {
  testing::TestContext context;
  if (context.device().type == DeviceType::kCpu) GTEST_SKIP() << "the CPU throws";
  for (const int32_t bad : {-1, 4, INT32_MIN, INT32_MAX}) {
    const Tensor labels = FromHost<int32_t>(context, {1, bad, 3}, {3});
    const Tensor logits = FromHost<float>(context, {0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1}, {3, 4});
    const auto results = testing::RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return SoftmaxCrossEntropy(c, in[0], in[1]); },
        {logits, labels}, FromHost<float>(context, {1}, {}));
    EXPECT_TRUE(std::isnan(ToHost<float>(context, results[0])[0]));
    const auto grad = ToHost<float>(context, results[1]);
    for (int i = 0; i < 12; ++i) EXPECT_EQ(std::isnan(grad[i]), i / 4 == 1) << i;
    EXPECT_EQ(CountCorrect(context, logits, labels), 2);
  }
}

TEST(Loss, ACapturedStepReadsNothingToTheHost) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "this device captures nothing";
  const Tensor logits = FromHost<float>(context, {0, 1, 2, 3, 4, 5}, {2, 3});
  const Tensor labels = FromHost<int32_t>(context, {0, 0}, {2});
  const Tensor count = FromHost<int32_t>(context, {0}, {1});
  const Tensor loss = FromHost<float>(context, {0}, {});
  const auto work = [&] {
    CopyInto(context, loss, SoftmaxCrossEntropy(context, logits, labels));
    CountCorrectInto(context, count, logits, labels);
  };
  work();
  const auto captured = context.backend().Capture(work);
  CopyInto(context, labels, FromHost<int32_t>(context, {2, 2}, {2}));
  for (int i = 0; i < 2; ++i) captured->Replay();
  EXPECT_EQ(ToHost<int32_t>(context, count)[0], 2);
  EXPECT_NEAR(ToHost<float>(context, loss)[0], std::log(1 + std::exp(-1.0) + std::exp(-2.0)), 1e-6);
}

TEST(Loss, BadOperands) {
  testing::TestContext context;
  const Tensor logits = Zeros(context, {3, 4});
  const auto labels = [&](std::vector<int32_t> values) {
    return FromHost(context, values, {static_cast<int64_t>(values.size())});
  };
  if (context.device().type == DeviceType::kCpu) {
    ExpectInvalid(
        [&] {
          SoftmaxCrossEntropy(context, logits, labels({0, 4, 1}));
        },
        {"softmax_cross_entropy: expected labels in [0, 4), got 4 at index 1"});
    ExpectInvalid(
        [&] {
          CountCorrect(context, logits, labels({0, 1, -1}));
        },
        {"count_correct: expected labels in [0, 4), got -1 at index 2"});
  }
  ExpectInvalid(
      [&] {
        CountCorrectInto(context, Zeros(context, {2}, DType::kInt32), logits, labels({0, 1, 2}));
      },
      {"count_correct: expected a count of one element, got shape [2]"});
  ExpectInvalid(
      [&] {
        CountCorrectInto(context, Zeros(context, {1}), logits, labels({0, 1, 2}));
      },
      {"count_correct: expected count of dtype int32, got float32"});
  ExpectInvalid(
      [&] {
        SoftmaxCrossEntropy(context, logits, labels({0, 1}));
      },
      {"softmax_cross_entropy: expected labels of shape [3], got [2]"});
  ExpectInvalid([&] { SoftmaxCrossEntropy(context, logits, Zeros(context, {3})); },
                {"expected labels of dtype int32, got float32"});
  ExpectInvalid(
      [&] {
        SoftmaxCrossEntropy(context, Zeros(context, {0, 4}), labels({}));
      },
      {"expected at least one row", "[0, 4]"});
  ExpectInvalid(
      [&] {
        SoftmaxCrossEntropy(context, Zeros(context, {3, 0}), labels({0, 0, 0}));
      },
      {"at least one class", "[3, 0]"});
}

}  // namespace
}  // namespace bitgate
