#include <algorithm>
#include <cmath>

#include "ops/linalg/linalg.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/folded_norm_testing.h"
#include "ops/norm/norm.h"

namespace bitgate {
namespace {

using testing::AwayFromZero;
using testing::FoldedCase;
using testing::In;
using testing::MakeFoldedCase;
using testing::RandomTensor;
using testing::RunWithGradients;

// A layer whose weight is scaled but not quantized is batch norm, and learns alike.
struct Layer {
  Tensor x, w, gamma, beta, gates, g;
};

Layer MakeLayer(Context& context, const std::vector<float>& gates = {1, 1, 1, 1, 1}) {
  return {RandomTensor(context, {24, 7}, 1), RandomTensor(context, {5, 7}, 2), AwayFromZero(context, {5}, 3),
          RandomTensor(context, {5}, 4),     FromHost(context, gates, {5}),    RandomTensor(context, {24, 5}, 5)};
}

enum class Kind { kUnfolded, kFolded, kOfResult, kStraightThrough };

// The result, the gradients of x, w, gamma and beta, the running statistics after the step, and, where batch norm is
// folded, the gradient of the gates.
std::vector<std::vector<float>> RunLayer(Context& context, const Layer& layer, Kind kind) {
  const Tensor mean = RandomTensor(context, {5}, 6), variance = RandomTensor(context, {5}, 7, 0.25f, 2);
  auto tensors = RunWithGradients(
      context,
      [&](Context& c, In in) {
        if (kind == Kind::kUnfolded) {
          return BatchNorm(c, Linear(c, in[0], in[1], {}), in[2], in[3], mean, variance);
        }
        const Tensor gain = FoldedGain(c, in[2], variance);
        const Tensor y = Linear(c, in[0], ScaleRows(c, ScaleRows(c, in[1], gain), in[4]), {});
        FoldedBatchNormOfResultParams params;
        if (kind == Kind::kStraightThrough) {
          params.statistics = ChannelStatistics(c, Linear(c, in[0].Detached(), in[1].Detached(), {}));
        }
        if (kind != Kind::kFolded) return FoldedBatchNormOfResult(c, y, in[2], in[3], in[4], mean, variance, params);
        const Tensor statistics = ChannelStatistics(c, Linear(c, in[0], in[1], {}));
        const Tensor result = FoldedBatchNorm(c, y, statistics, in[2], in[3], variance);
        UpdateRunningStatistics(c, mean, variance, statistics, 24);
        return result;
      },
      {layer.x, layer.w, layer.gamma, layer.beta, layer.gates}, layer.g);
  const Tensor of_gates = tensors.back();
  tensors.back() = mean;
  tensors.push_back(variance);
  if (of_gates.defined()) tensors.push_back(of_gates);
  std::vector<std::vector<float>> values;
  for (const Tensor& tensor : tensors) values.push_back(ToHost<float>(context, tensor));
  return values;
}

void ExpectSameValues(const std::vector<std::vector<float>>& actual, const std::vector<std::vector<float>>& expected) {
  ASSERT_GE(actual.size(), expected.size());
  for (size_t k = 0; k < expected.size(); ++k) {
    float largest = 0;
    for (const float value : expected[k]) largest = std::max(largest, std::abs(value));
    ASSERT_EQ(actual[k].size(), expected[k].size());
    for (size_t i = 0; i < expected[k].size(); ++i) {
      // A dozen operations on either way, and sums of some dozen terms.
      EXPECT_NEAR(actual[k][i], expected[k][i], 64 * testing::kEpsilon * (1 + largest)) << "value " << k << " at " << i;
    }
  }
}

TEST(FoldedLayer, WithoutAQuantizerIsBatchNorm) {
  testing::TestContext context;
  const Layer layer = MakeLayer(context);
  const auto expected = RunLayer(context, layer, Kind::kUnfolded);
  for (const Kind kind : {Kind::kFolded, Kind::kOfResult, Kind::kStraightThrough})
    ExpectSameValues(RunLayer(context, layer, kind), expected);
}

// The gates of channels reach the result, and have a gradient, as if the statistics were those of the layer without.
TEST(FoldedLayer, GatesAreNotUndone) {
  testing::TestContext context;
  const Layer layer = MakeLayer(context, {1, 0.5f, 0.75f, 0.125f, 0.0625f});
  const auto expected = RunLayer(context, layer, Kind::kFolded);
  for (const Kind kind : {Kind::kOfResult, Kind::kStraightThrough}) {
    const auto actual = RunLayer(context, layer, kind);
    ASSERT_EQ(actual.size(), expected.size());
    ExpectSameValues(actual, expected);
  }
  for (const float gradient : expected.back()) EXPECT_GT(std::abs(gradient), 0.01f);
}

// A channel whose gate is closed goes on with the statistics there are, which become its shift.
TEST(FoldedLayer, ClosedGatesLeaveTheRunningStatistics) {
  testing::TestContext context;
  const Layer layer = MakeLayer(context, {0, 0.03f, 0.0624f, 0.0625f, 1});
  const Tensor mean = RandomTensor(context, {5}, 6), variance = RandomTensor(context, {5}, 7, 0.25f, 2);
  const auto run = [&](bool of_result) {
    const Tensor new_mean = Clone(context, mean), new_variance = Clone(context, variance);
    auto tensors = RunWithGradients(
        context,
        [&](Context& c, In in) {
          const Tensor gain = FoldedGain(c, in[2], variance).Detached();
          const Tensor w = ScaleRows(c, ScaleRows(c, in[1], gain), in[4]);
          if (!of_result) return Linear(c, in[0], w, FoldedShift(c, in[2], in[3], mean, variance));
          return FoldedBatchNormOfResult(c, Linear(c, in[0], w, {}), in[2], in[3], in[4], new_mean, new_variance);
        },
        {layer.x, layer.w, layer.gamma, layer.beta, layer.gates}, layer.g);
    tensors.push_back(new_mean), tensors.push_back(new_variance);
    std::vector<std::vector<float>> values;
    for (const Tensor& tensor : tensors) values.push_back(ToHost<float>(context, tensor));
    return values;
  };
  const auto expected = run(false), actual = run(true);
  const auto near = [&](size_t k, size_t i) {
    EXPECT_NEAR(actual[k][i], expected[k][i], 1e-5) << "value " << k << " at " << i;
  };
  for (size_t i = 0; i < 3; ++i) {
    for (size_t row = 0; row < 24; ++row) near(0, row * 5 + i);
    for (size_t column = 0; column < 7; ++column) near(2, i * 7 + column);
    for (const size_t k : {3, 4, 5}) near(k, i);
    for (const size_t k : {6, 7}) EXPECT_EQ(actual[k][i], expected[k][i]);
  }
  for (size_t i = 3; i < 5; ++i) {
    EXPECT_NE(actual[6][i], expected[6][i]);
    EXPECT_NE(actual[7][i], expected[7][i]);
  }
}

// Backward after the running statistics have moved on is that of the values before.
TEST(FoldedLayer, BackwardReadsNoRunningStatistics) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {33, 17});
  const auto gradients = [&](bool overwrite) {
    const Tensor mean = Clone(context, test.running_mean), variance = Clone(context, test.running_variance);
    const auto tensors = RunWithGradients(
        context,
        [&](Context& c, In in) {
          const Tensor gain = FoldedGain(c, in[2], variance);
          const Tensor shift = FoldedShift(c, in[2], in[3], mean, variance);
          const Tensor y = MatMul(c, in[0], ScaleRows(c, in[4], gain), false, true);
          const Tensor folded = FoldedBatchNorm(c, y, in[1], in[2], shift, variance);
          const Tensor old_mean = Clone(c, mean), old_variance = Clone(c, variance);
          const Tensor result = FoldedBatchNormOfResult(c, folded, in[2], in[3], in[5], mean, variance);
          CopyInto(c, mean, overwrite ? Zeros(c, {17}) : old_mean);
          CopyInto(c, variance, overwrite ? Zeros(c, {17}) : old_variance);
          return result;
        },
        {test.y, test.statistics, test.gamma, test.beta, RandomTensor(context, {17, 17}, 9),
         RandomTensor(context, {17}, 10, 0, 0.2f)},
        test.g);
    std::vector<std::vector<float>> values;
    for (const Tensor& tensor : tensors) values.push_back(ToHost<float>(context, tensor));
    return values;
  };
  EXPECT_EQ(gradients(true), gradients(false));
}

TEST(FoldedLayer, CanBeCapturedOnceItHasRun) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "a device that captures nothing";
  const Layer layer = MakeLayer(context, {1, 0.5f, 0, 0.75f, 0.25f});
  const Tensor mean = Zeros(context, {5}), variance = RandomTensor(context, {5}, 7, 0.25f, 2);
  const Tensor old_mean = Clone(context, mean), old_variance = Clone(context, variance);
  std::vector<Tensor> results;
  const auto step = [&] {
    results = RunWithGradients(
        context,
        [&](Context& c, In in) {
          const Tensor y = Linear(c, in[0], ScaleRows(c, in[1], FoldedGain(c, in[2], variance)), {});
          const Tensor statistics = ChannelStatistics(c, Linear(c, in[0], in[1], {}));
          const Tensor folded = FoldedBatchNorm(c, y, statistics, in[2], in[3], variance);
          const Tensor result = FoldedBatchNormOfResult(c, folded, in[2], FoldedShift(c, in[2], in[3], mean, variance),
                                                        in[4], mean, variance);
          UpdateRunningStatistics(c, mean, variance, statistics, 24);
          return result;
        },
        {layer.x, layer.w, layer.gamma, layer.beta, layer.gates}, layer.g);
  };
  const auto values = [&] {
    std::vector<std::vector<float>> values;
    for (const Tensor& tensor : results) values.push_back(ToHost<float>(context, tensor));
    values.push_back(ToHost<float>(context, mean));
    values.push_back(ToHost<float>(context, variance));
    return values;
  };
  step();
  const auto expected = values();
  results.clear();
  const auto captured = context.backend().Capture(step);
  CopyInto(context, mean, old_mean), CopyInto(context, variance, old_variance);
  captured->Replay();
  EXPECT_EQ(values(), expected);
}

}  // namespace
}  // namespace bitgate
