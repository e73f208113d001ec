#include <algorithm>
#include <cmath>

#include "ops/norm/folded_norm.h"
#include "ops/norm/folded_norm_testing.h"

namespace bitgate {
namespace {

using testing::Differences;
using testing::Doubles;
using testing::ExpectClose;
using testing::FoldedCase;
using testing::FoldedShapes;
using testing::In;
using testing::kSmallEpsilon;
using testing::MakeFoldedCase;
using testing::NameOf;
using testing::RandomTensor;
using testing::Reference;
using testing::RunWithGradients;

constexpr double kSums = 16;  // roundings: sums over few rows are float32

Doubles ResultInDouble(const std::vector<Doubles>& in, const std::vector<float>& running, int64_t channels) {
  const Doubles &y = in[0], &gamma = in[1], &beta = in[2];
  const double rows = static_cast<double>(y.size()) / static_cast<double>(channels);
  Doubles mean(channels), variance(channels), result(y.size());
  for (size_t i = 0; i < y.size(); ++i) mean[i % channels] += y[i] / rows;
  for (size_t i = 0; i < y.size(); ++i) variance[i % channels] += std::pow(y[i] - mean[i % channels], 2) / rows;
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t c = static_cast<int64_t>(i) % channels;
    // sigma_run held back: a constant that the differences do not move.
    const double sigma = std::sqrt(running[c] + kSmallEpsilon), gain = gamma[c] / sigma;
    result[i] = sigma * (y[i] - mean[c]) / std::sqrt(variance[c] / (gain * gain) + kSmallEpsilon) + beta[c];
  }
  return result;
}

TEST(FoldedBatchNormOfResult, GradientsAreDifferencesOfTheFormulaInDouble) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {6, 5});
  // Small gains, so that epsilon is felt and gamma has a gradient.
  const Tensor gamma = FromHost<float>(context, {0.01f, -0.02f, 0.03f, 1, -2}, {5});
  std::vector<float> scaled = ToHost<float>(context, test.y);
  const std::vector<float> size = {0.001f, 0.002f, 0.0005f, 1, 1};
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= size[i % 5];
  const Tensor y = FromHost(context, scaled, {6, 5});
  const auto running = ToHost<float>(context, test.running_variance);
  const auto weights = RandomTensor(context, {6, 5}, 77);
  const auto results = RunWithGradients(
      context,
      [&](Context& c, In in) {
        return FoldedBatchNormOfResult(c, in[0], in[1], in[2], Clone(c, test.running_mean),
                                       Clone(c, test.running_variance));
      },
      {y, gamma, test.beta}, weights);
  std::vector<Doubles> values;
  for (const Tensor& input : {y, gamma, test.beta}) {
    const auto floats = ToHost<float>(context, input);
    values.emplace_back(floats.begin(), floats.end());
  }
  const auto host = ToHost<float>(context, weights);
  const auto f = [&](const std::vector<Doubles>& in) { return ResultInDouble(in, running, 5); };
  const auto expected = f(values);
  const auto result = ToHost<float>(context, results[0]);
  for (size_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], expected[i], 1e-5) << i;
  for (size_t k = 0; k < 3; ++k) {
    const auto gradient = ToHost<float>(context, results[k + 1]);
    // By a share of each value: y of the first channels is a thousandth.
    const Doubles slopes = Differences(f, values, k, host, 1e-4);
    double largest = 1;
    for (const float value : gradient) largest = std::max(largest, std::abs(double{value}));
    for (size_t i = 0; i < gradient.size(); ++i) {
      EXPECT_NEAR(gradient[i], slopes[i], 2e-5 * largest) << "input " << k << " at " << i;
    }
  }
}

void CheckOfResult(Context& context, const Shape& shape, Activation activation) {
  const FoldedCase test = MakeFoldedCase(context, shape);
  const int64_t channels = test.gamma.size();
  const auto running = ToHost<float>(context, test.running_variance),
             old_mean = ToHost<float>(context, test.running_mean), gamma = ToHost<float>(context, test.gamma),
             y = ToHost<float>(context, test.y), beta = ToHost<float>(context, test.beta);
  auto g = ToHost<float>(context, test.g);
  FoldedBatchNormOfResultParams params;
  params.activation = activation;
  const auto results = RunWithGradients(
      context,
      [&](Context& c, In in) {
        return FoldedBatchNormOfResult(c, in[0], in[1], in[2], test.running_mean, test.running_variance, params);
      },
      {test.y, test.gamma, test.beta}, test.g);
  const double rows = static_cast<double>(y.size()) / static_cast<double>(channels);
  Doubles mean(channels), variance(channels), sum(channels), products(channels), bound(channels);
  for (size_t i = 0; i < y.size(); ++i) mean[i % channels] += y[i] / rows;
  for (size_t i = 0; i < y.size(); ++i) variance[i % channels] += std::pow(y[i] - mean[i % channels], 2) / rows;
  Reference result(y.size()), grad_y(y.size()), grad_gamma(channels), grad_beta(channels), new_mean(channels),
      new_variance(channels);
  const auto rv = ToHost<float>(context, results[0]);
  const auto gain_of = [&](int64_t c) { return gamma[c] / std::sqrt(running[c] + kSmallEpsilon); };
  const auto root_of = [&](int64_t c) { return std::sqrt(variance[c] + kSmallEpsilon * gain_of(c) * gain_of(c)); };
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t c = static_cast<int64_t>(i) % channels;
    const double slope = std::abs(gamma[c]) / root_of(c);
    result.Add(i, slope * (y[i] - mean[c]));
    result.Add(i, beta[c]);
    result.magnitude[i] += slope * (std::abs(y[i]) + std::abs(mean[c]));
    if (activation == Activation::kRelu) {
      result.value[i] = std::max(result.value[i], 0.0);
      if (rv[i] <= 0) g[i] = 0;
    }
    const double place = (y[i] - mean[c]) / root_of(c);
    sum[c] += g[i], products[c] += g[i] * place;
    bound[c] += std::abs(g[i]) * (1 + (std::abs(y[i]) + std::abs(mean[c])) / root_of(c));
    grad_beta.Add(c, g[i]);
    const double share = variance[c] / (root_of(c) * root_of(c)) * (gamma[c] < 0 ? -1 : 1);
    grad_gamma.Add(c, share * g[i] * place);
    grad_gamma.magnitude[c] += std::abs(g[i]) * (std::abs(y[i]) + std::abs(mean[c])) / root_of(c);
  }
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t c = static_cast<int64_t>(i) % channels;
    const double slope = std::abs(gamma[c]) / root_of(c), place = (y[i] - mean[c]) / root_of(c);
    grad_y.Add(i, slope * g[i]);
    grad_y.Add(i, -slope * sum[c] / rows);
    grad_y.Add(i, -slope * place * products[c] / rows);
    grad_y.magnitude[i] += slope * bound[c] / rows * (1 + (std::abs(y[i]) + std::abs(mean[c])) / root_of(c));
  }
  for (int64_t c = 0; c < channels; ++c) {
    new_mean.Add(c, 0.9 * old_mean[c]);
    new_mean.Add(c, 0.1 * mean[c] / gain_of(c));
    new_mean.magnitude[c] += 0.1 * 3 / std::abs(gain_of(c));  // what the mean of values up to 3 is rounded by
    new_variance.Add(c, 0.9 * running[c]);
    new_variance.Add(c, 0.1 * variance[c] / (gain_of(c) * gain_of(c)) * rows / std::max(rows - 1, 1.0));
  }
  // As in norm_test.cc, and a rounding more for what the gain makes of variance and mean.
  ExpectClose(context, results[0], result, 5 + kSums, "result");
  ExpectClose(context, results[1], grad_y, 8 + kSums, "grad_y");
  ExpectClose(context, results[2], grad_gamma, 6 + kSums, "grad_gamma");
  ExpectClose(context, results[3], grad_beta, 1 + kSums, "grad_beta");
  ExpectClose(context, test.running_mean, new_mean, 4 + kSums, "running mean");
  ExpectClose(context, test.running_variance, new_variance, 6 + kSums, "running variance");
}

TEST(FoldedBatchNormOfResult, ForwardAndGradients) {
  testing::TestContext context;
  for (const Shape& shape : FoldedShapes()) {
    // Of two values the variance may be tiny, and with it everything else large.
    if (shape.size() / shape[shape.rank() - 1] < 4) continue;
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      SCOPED_TRACE(NameOf(shape));
      CheckOfResult(context, shape, activation);
    }
  }
}

// Where the gain is 0, or its square vanishes, the result is beta and the running statistics stay.
TEST(FoldedBatchNormOfResult, NoGain) {
  testing::TestContext context;
  const Tensor y = FromHost<float>(context, {0, 0, 1, 0, 0, 3}, {2, 3});
  const Tensor gamma = FromHost<float>(context, {0, 1e-30f, 2}, {3}), beta = FromHost<float>(context, {5, -6, 7}, {3});
  const Tensor mean = FromHost<float>(context, {1, 2, 3}, {3}), variance = FromHost<float>(context, {4, 5, 4}, {3});
  const auto results = RunWithGradients(
      context, [&](Context& c, In in) { return FoldedBatchNormOfResult(c, in[0], in[1], in[2], mean, variance); },
      {y, gamma, beta}, FromHost<float>(context, {1, 1, 1, 1, 1, 1}, {2, 3}));
  const auto result = ToHost<float>(context, results[0]), grad_y = ToHost<float>(context, results[1]),
             grad_gamma = ToHost<float>(context, results[2]), means = ToHost<float>(context, mean),
             variances = ToHost<float>(context, variance);
  for (const int i : {0, 3}) {
    EXPECT_EQ(result[i], 5);
    EXPECT_EQ(result[i + 1], -6);
    EXPECT_EQ(grad_y[i], 0);
    EXPECT_EQ(grad_y[i + 1], 0);
  }
  EXPECT_NEAR(result[2], 5, 1e-4);  // gain 1: (1 - 2) * 2 / 1 + 7
  EXPECT_NEAR(result[5], 9, 1e-4);
  EXPECT_EQ(grad_gamma[0], 0);
  EXPECT_EQ(grad_gamma[1], 0);
  EXPECT_EQ(ToHost<float>(context, results[3]), (std::vector<float>{2, 2, 2}));
  EXPECT_EQ(means[0], 1);
  EXPECT_EQ(means[1], 2);
  EXPECT_EQ(variances[0], 4);
  EXPECT_EQ(variances[1], 5);
  EXPECT_NEAR(means[2], 0.9 * 3 + 0.1 * 2, 1e-5);
  EXPECT_NEAR(variances[2], 0.9 * 4 + 0.1 * 2, 1e-4);  // unbiased: 1 * 2 / 1
}

TEST(FoldedBatchNormOfResult, OneRowIsBeta) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {1, 5});
  const auto before = ToHost<float>(context, test.running_variance);
  const Tensor result =
      FoldedBatchNormOfResult(context, test.y, test.gamma, test.beta, test.running_mean, test.running_variance);
  EXPECT_EQ(ToHost<float>(context, result), ToHost<float>(context, test.beta));
  EXPECT_EQ(ToHost<float>(context, test.running_variance), before);
}

// A pruned channel gives 0: its mean goes to 0, so that evaluating gives beta as training does; its variance stays.
TEST(FoldedBatchNormOfResult, PrunedChannelsKeepTheirVariance) {
  testing::TestContext context;
  const Tensor y = FromHost<float>(context, {0, 1, 0, 3}, {2, 2}), gamma = FromHost<float>(context, {2, 2}, {2});
  const Tensor beta = FromHost<float>(context, {5, 6}, {2}), mean = FromHost<float>(context, {1, 1}, {2});
  const Tensor variance = FromHost<float>(context, {4, 4}, {2});
  EXPECT_EQ(ToHost<float>(context, FoldedBatchNormOfResult(context, y, gamma, beta, mean, variance)).at(0), 5);
  EXPECT_NEAR(ToHost<float>(context, mean)[0], 0.9, 1e-6);
  EXPECT_EQ(ToHost<float>(context, variance)[0], 4);
  EXPECT_NE(ToHost<float>(context, variance)[1], 4);
}

}  // namespace
}  // namespace bitgate
