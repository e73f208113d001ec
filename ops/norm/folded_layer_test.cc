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
  Tensor x, w, gamma, beta, g;
};

Layer MakeLayer(Context& context) {
  return {RandomTensor(context, {24, 7}, 1), RandomTensor(context, {5, 7}, 2), AwayFromZero(context, {5}, 3),
          RandomTensor(context, {5}, 4), RandomTensor(context, {24, 5}, 5)};
}

enum class Kind { kUnfolded, kFolded, kOfResult };

// The result, the gradients of x, w, gamma and beta, and the running statistics after the step.
std::vector<std::vector<float>> RunLayer(Context& context, const Layer& layer, Kind kind) {
  const Tensor mean = RandomTensor(context, {5}, 6), variance = RandomTensor(context, {5}, 7, 0.25f, 2);
  auto tensors = RunWithGradients(
      context,
      [&](Context& c, In in) {
        if (kind == Kind::kUnfolded) {
          return BatchNorm(c, Linear(c, in[0], in[1], {}), in[2], in[3], mean, variance);
        }
        const Tensor gain = FoldedGain(c, in[2], variance);
        const Tensor y = Linear(c, in[0], ScaleRows(c, in[1], gain), {});
        if (kind == Kind::kOfResult) return FoldedBatchNormOfResult(c, y, in[2], in[3], mean, variance);
        const Tensor statistics = ChannelStatistics(c, Linear(c, in[0], in[1], {}));
        const Tensor result = FoldedBatchNorm(c, y, statistics, in[2], in[3], variance);
        UpdateRunningStatistics(c, mean, variance, statistics, 24);
        return result;
      },
      {layer.x, layer.w, layer.gamma, layer.beta}, layer.g);
  tensors.push_back(mean), tensors.push_back(variance);
  std::vector<std::vector<float>> values;
  for (const Tensor& tensor : tensors) values.push_back(ToHost<float>(context, tensor));
  return values;
}

TEST(FoldedLayer, WithoutAQuantizerIsBatchNorm) {
  testing::TestContext context;
  const Layer layer = MakeLayer(context);
  const auto expected = RunLayer(context, layer, Kind::kUnfolded);
  for (const Kind kind : {Kind::kFolded, Kind::kOfResult}) {
    const auto actual = RunLayer(context, layer, kind);
    ASSERT_EQ(actual.size(), expected.size());
    for (size_t k = 0; k < expected.size(); ++k) {
      float largest = 0;
      for (const float value : expected[k]) largest = std::max(largest, std::abs(value));
      for (size_t i = 0; i < expected[k].size(); ++i) {
        // A dozen operations on either way, and sums of some dozen terms.
        EXPECT_NEAR(actual[k][i], expected[k][i], 64 * testing::kEpsilon * (1 + largest))
            << "value " << k << " at " << i;
      }
    }
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
          const Tensor result = FoldedBatchNormOfResult(c, folded, in[2], in[3], Clone(c, mean), Clone(c, variance));
          if (overwrite) CopyInto(c, mean, Zeros(c, {17})), CopyInto(c, variance, Zeros(c, {17}));
          return result;
        },
        {test.y, test.statistics, test.gamma, test.beta, RandomTensor(context, {17, 17}, 9)}, test.g);
    std::vector<std::vector<float>> values;
    for (const Tensor& tensor : tensors) values.push_back(ToHost<float>(context, tensor));
    return values;
  };
  EXPECT_EQ(gradients(true), gradients(false));
}

TEST(FoldedLayer, CanBeCapturedOnceItHasRun) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "a device that captures nothing";
  const Layer layer = MakeLayer(context);
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
          const Tensor result =
              FoldedBatchNormOfResult(c, folded, in[2], FoldedShift(c, in[2], in[3], mean, variance), mean, variance);
          UpdateRunningStatistics(c, mean, variance, statistics, 24);
          return result;
        },
        {layer.x, layer.w, layer.gamma, layer.beta}, layer.g);
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
