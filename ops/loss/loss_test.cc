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
  Context context;
  for (const auto& [rows, classes] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 1}, {1, 2}, {3, 15}, {128, 10}, {33, 17}, {70, 1000}}) {
    CheckLoss(context, testing::RandomValues(rows * classes, 1, -4, 4), rows, classes, 1.0f);
    CheckLoss(context, testing::RandomValues(rows * classes, 2, -4, 4), rows, classes, 0.3f);
  }
}

TEST(SoftmaxCrossEntropy, StableForLargeLogits) {
  Context context;
  CheckLoss(context, {1e4f, -1e4f, 3e38f, -3e38f, 0, 0}, 3, 2, 1.0f);
}

TEST(SoftmaxCrossEntropy, NaNReachesTheLoss) {
  Context context;
  const Tensor loss =
      SoftmaxCrossEntropy(context, FromHost<float>(context, {0, NAN, 1}, {1, 3}), FromHost<int32_t>(context, {0}, {1}));
  EXPECT_TRUE(std::isnan(ToHost<float>(context, loss)[0]));
}

TEST(CountCorrect, FirstOfEqualLogitsCounts) {
  Context context;
  const Tensor logits = FromHost<float>(context, {1, 2, 0, 5, 5, 5, 0, 3, 3}, {3, 3});
  const auto count = [&](std::vector<int32_t> labels) {
    return CountCorrect(context, logits, FromHost(context, labels, {3}));
  };
  EXPECT_EQ(count({1, 0, 1}), 3);
  EXPECT_EQ(count({1, 2, 2}), 1);
  EXPECT_EQ(count({0, 1, 0}), 0);
  EXPECT_EQ(CountCorrect(context, Zeros(context, {0, 3}), Zeros(context, {0}, DType::kInt32)), 0);
}

TEST(Loss, BadOperands) {
  Context context;
  const Tensor logits = Zeros(context, {3, 4});
  const auto labels = [&](std::vector<int32_t> values) {
    return FromHost(context, values, {static_cast<int64_t>(values.size())});
  };
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
