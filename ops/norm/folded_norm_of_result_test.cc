#include <algorithm>
#include <cmath>

#include "ops/linalg/linalg.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/folded_norm_math.h"
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
using testing::kSums;
using testing::MakeFoldedCase;
using testing::NameOf;
using testing::RandomTensor;
using testing::Reference;
using testing::RunWithGradients;

// A channel in double: what the result is of x, and how that depends on x.
struct Channel {
  double batch_mean = 0, batch_variance = 0;  // of x
  double open_mean = 0, open_variance = 0;    // without the gate
  double mean = 0, variance = 0;              // that are used: these, those that run, or the float layer's
  double gain = 0, root = 0, slope = 0;       // slope (x - mean), slope = |gamma| / root
  double inverse = 0;                         // of the gate; 0: closed
  double shift = 0;                           // d of the mean's part / d gamma
  double momentum = 0;

  void Gate(double gate, double gamma, double running_mean, double running_variance) {
    const double sigma = std::sqrt(running_variance + kSmallEpsilon);
    gain = gamma / sigma;
    inverse = gate >= kLeastGate ? 1 / gate : 0;
    open_mean = batch_mean * inverse, open_variance = batch_variance * inverse * inverse;
    mean = inverse > 0 ? open_mean : gain * running_mean;
    variance = inverse > 0 ? open_variance : gain * gain * running_variance;
    shift = inverse > 0 ? 0 : -running_mean / sigma;
    momentum = inverse > 0 ? 0.1 : 0;
    Finish(gamma);
  }

  void TakeFloat(double gamma, double float_mean, double float_variance) {
    mean = gain * float_mean, variance = gain * gain * float_variance;
    shift = (open_mean / gain - float_mean) / std::sqrt(float_variance + kSmallEpsilon);
    momentum = 0.1;
    Finish(gamma);
  }

  void Finish(double gamma) {
    root = std::sqrt(variance + kSmallEpsilon * gain * gain);
    slope = std::abs(gamma) / root;
  }
};

// The operands y, gamma, beta and gates, and what runs.
std::vector<Channel> Channels(const std::vector<Doubles>& in, const std::vector<float>& running_mean,
                              const std::vector<float>& running_variance) {
  const Doubles& y = in[0];
  std::vector<Channel> channels(running_mean.size());
  const size_t count = channels.size();
  const double rows = static_cast<double>(y.size()) / static_cast<double>(count);
  for (size_t i = 0; i < y.size(); ++i) channels[i % count].batch_mean += y[i] / rows;
  for (size_t i = 0; i < y.size(); ++i) {
    channels[i % count].batch_variance += std::pow(y[i] - channels[i % count].batch_mean, 2) / rows;
  }
  for (size_t c = 0; c < count; ++c) channels[c].Gate(in[3][c], in[1][c], running_mean[c], running_variance[c]);
  return channels;
}

Doubles ResultInDouble(const std::vector<Doubles>& in, const std::vector<float>& running_mean,
                       const std::vector<float>& running_variance) {
  const std::vector<Channel> channels = Channels(in, running_mean, running_variance);
  Doubles result(in[0].size());
  for (size_t i = 0; i < result.size(); ++i) {
    // What runs is held back: a constant that the differences do not move.
    const size_t c = i % channels.size();
    result[i] = channels[c].slope * (in[0][i] - channels[c].mean) + in[2][c];
  }
  return result;
}

std::vector<Doubles> InDouble(Context& context, const std::vector<Tensor>& tensors) {
  std::vector<Doubles> values;
  for (const Tensor& tensor : tensors) {
    const auto floats = ToHost<float>(context, tensor);
    values.emplace_back(floats.begin(), floats.end());
  }
  return values;
}

void CheckDifferences(Context& context, const std::vector<float>& gates) {
  const FoldedCase test = MakeFoldedCase(context, {6, 5});
  // Small gains, so that epsilon is felt and gamma has a gradient.
  const Tensor gamma = FromHost<float>(context, {0.01f, -0.02f, 0.03f, 1, -2}, {5});
  std::vector<float> scaled = ToHost<float>(context, test.y);
  const std::vector<float> size = {0.001f, 0.002f, 0.0005f, 1, 1};
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= size[i % 5];
  const std::vector<Tensor> inputs = {FromHost(context, scaled, {6, 5}), gamma, test.beta,
                                      FromHost(context, gates, {5})};
  const auto running_mean = ToHost<float>(context, test.running_mean),
             running_variance = ToHost<float>(context, test.running_variance);
  const auto weights = RandomTensor(context, {6, 5}, 77);
  const auto results = RunWithGradients(
      context,
      [&](Context& c, In in) {
        return FoldedBatchNormOfResult(c, in[0], in[1], in[2], in[3], Clone(c, test.running_mean),
                                       Clone(c, test.running_variance));
      },
      inputs, weights);
  const std::vector<Doubles> values = InDouble(context, inputs);
  const auto host = ToHost<float>(context, weights);
  const auto f = [&](const std::vector<Doubles>& in) { return ResultInDouble(in, running_mean, running_variance); };
  const auto expected = f(values);
  const auto result = ToHost<float>(context, results[0]);
  for (size_t i = 0; i < result.size(); ++i) EXPECT_NEAR(result[i], expected[i], 1e-5) << i;
  for (size_t k = 0; k < inputs.size(); ++k) {
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

TEST(FoldedBatchNormOfResult, GradientsAreDifferencesOfTheFormulaInDouble) {
  testing::TestContext context;
  CheckDifferences(context, {1, 1, 1, 1, 1});
  CheckDifferences(context, {0.5f, 0.75f, 0.9f, 0.3f, 0.125f});
}

// Of closed gates gamma has the shift's gradient alone: what it does in the weight is FoldedGain's.
TEST(FoldedBatchNormOfResult, GradientsOfClosedGates) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {6, 2});
  const Tensor gates = FromHost<float>(context, {0, 0.06f}, {2});
  const auto run = [&](bool of_result) {
    std::vector<std::vector<float>> values;
    const auto results = RunWithGradients(
        context,
        [&](Context& c, In in) {
          if (of_result) {
            return FoldedBatchNormOfResult(c, in[0], in[1], in[2], in[3], test.running_mean, test.running_variance);
          }
          // Statistics that are the running ones, held back.
          const Tensor both = Empty(c, {2, 2});
          CopyInto(c, SliceView(both, 0, 0, 1), ReshapeView(test.running_mean, {1, 2}));
          CopyInto(c, SliceView(both, 0, 1, 2), ReshapeView(test.running_variance, {1, 2}));
          return FoldedBatchNorm(c, in[0], both, in[1], in[2], test.running_variance);
        },
        {test.y, test.gamma, test.beta, gates}, test.g);
    for (const Tensor& tensor : results) {
      values.push_back(tensor.defined() ? ToHost<float>(context, tensor) : std::vector<float>{0, 0});
    }
    return values;
  };
  const auto actual = run(true), expected = run(false);
  for (size_t k = 0; k < expected.size(); ++k) {
    ASSERT_EQ(actual[k].size(), expected[k].size());
    for (size_t i = 0; i < expected[k].size(); ++i) {
      EXPECT_NEAR(actual[k][i], expected[k][i], 1e-6) << "value " << k << " at " << i;
    }
  }
}

// References of everything for a case; `g` is the gradient before the activation.
struct OfResultReference {
  Reference result, grad_y, grad_gamma, grad_beta, grad_gates, mean, variance;

  OfResultReference(int64_t size, int64_t channels)
      : result(size),
        grad_y(size),
        grad_gamma(channels),
        grad_beta(channels),
        grad_gates(channels),
        mean(channels),
        variance(channels) {}

  void AddResult(const std::vector<Channel>& channels, const std::vector<Doubles>& in) {
    for (size_t i = 0; i < in[0].size(); ++i) {
      const Channel& of = channels[i % channels.size()];
      result.Add(i, of.slope * (in[0][i] - of.mean));
      result.Add(i, in[2][i % channels.size()]);
      result.magnitude[i] += of.slope * (std::abs(in[0][i]) + std::abs(of.mean));
    }
  }

  void AddGradients(const std::vector<Channel>& channels, const std::vector<Doubles>& in, const std::vector<float>& g) {
    const size_t count = channels.size();
    const double rows = static_cast<double>(g.size()) / static_cast<double>(count);
    Doubles sum(count), products(count), bound(count);
    for (size_t i = 0; i < g.size(); ++i) {
      const size_t c = i % count;
      const Channel& of = channels[c];
      const double place = (in[0][i] - of.mean) / of.root;
      const double size = std::abs(g[i]) * (std::abs(in[0][i]) + std::abs(of.mean)) / of.root;
      sum[c] += g[i], products[c] += g[i] * place, bound[c] += std::abs(g[i]) + size;
      grad_beta.Add(c, g[i]);
      grad_gamma.Add(c, of.shift * g[i]);
      grad_gamma.magnitude[c] += 2 * std::abs(of.mean) / of.root * std::abs(g[i]);  // a difference of means
      if (of.inverse == 0) continue;
      const double share = of.open_variance / (of.root * of.root), slope = of.slope * of.inverse;
      grad_gamma.Add(c, share * (in[1][c] < 0 ? -1 : 1) * g[i] * place);
      grad_gamma.magnitude[c] += (1 + share) * size;
      grad_gates.Add(c, slope * of.open_mean * g[i]);
      grad_gates.Add(c, slope * of.root * share * g[i] * place);
      grad_gates.magnitude[c] += slope * of.root * (1 + share) * size;
    }
    for (size_t i = 0; i < g.size(); ++i) {
      const size_t c = i % count;
      const Channel& of = channels[c];
      const double place = (in[0][i] - of.batch_mean) / of.root;
      grad_y.Add(i, of.slope * g[i]);
      grad_y.Add(i, -of.slope * of.inverse * sum[c] / rows);
      grad_y.Add(i, -of.slope * of.inverse * of.inverse * place * products[c] / rows);
      grad_y.magnitude[i] += of.slope * std::max(of.inverse, of.inverse * of.inverse) * bound[c] / rows *
                             (1 + (std::abs(in[0][i]) + std::abs(of.batch_mean)) / of.root);
    }
  }

  void AddRunning(const std::vector<Channel>& channels, double rows, const std::vector<float>& running_mean,
                  const std::vector<float>& running_variance) {
    for (size_t c = 0; c < channels.size(); ++c) {
      const Channel& of = channels[c];
      mean.Add(c, (1 - of.momentum) * running_mean[c]);
      mean.Add(c, of.momentum * of.mean / of.gain);
      // What a mean of values to 3 is rounded by.
      mean.magnitude[c] += of.momentum * of.inverse * 3 / std::abs(of.gain);
      variance.Add(c, (1 - of.momentum) * running_variance[c]);
      variance.Add(c, of.momentum * of.variance / (of.gain * of.gain) * rows / std::max(rows - 1, 1.0));
    }
  }
};

void CheckOfResult(Context& context, const Shape& shape, Activation activation, const Tensor& gates, bool of_float) {
  const FoldedCase test = MakeFoldedCase(context, shape);
  const int64_t channels = test.gamma.size();
  const auto running_mean = ToHost<float>(context, test.running_mean),
             running_variance = ToHost<float>(context, test.running_variance);
  FoldedBatchNormOfResultParams params;
  params.activation = activation;
  if (of_float) params.statistics = test.statistics;
  std::vector<Tensor> inputs = {test.y, test.gamma, test.beta};
  if (gates.defined()) inputs.push_back(gates);
  const auto results = RunWithGradients(
      context,
      [&](Context& c, In in) {
        return FoldedBatchNormOfResult(c, in[0], in[1], in[2], gates.defined() ? in[3] : Tensor(), test.running_mean,
                                       test.running_variance, params);
      },
      inputs, test.g);
  std::vector<Doubles> in = InDouble(context, inputs);
  if (!gates.defined()) in.emplace_back(channels, 1.0);
  auto g = ToHost<float>(context, test.g);
  std::vector<Channel> of = Channels(in, running_mean, running_variance);
  if (of_float) {
    const auto given = ToHost<float>(context, test.statistics);
    for (size_t c = 0; c < of.size(); ++c) of[c].TakeFloat(in[1][c], given[c], given[of.size() + c]);
  }
  OfResultReference expected(test.y.size(), channels);
  expected.AddResult(of, in);
  if (activation == Activation::kRelu) {
    const auto result = ToHost<float>(context, results[0]);
    for (size_t i = 0; i < g.size(); ++i) {
      expected.result.value[i] = std::max(expected.result.value[i], 0.0);
      if (result[i] <= 0) g[i] = 0;
    }
  }
  expected.AddGradients(of, in, g);
  expected.AddRunning(of, static_cast<double>(test.y.size() / channels), running_mean, running_variance);
  // As in norm_test.cc, and a rounding more for what the gain makes of variance and mean.
  ExpectClose(context, results[0], expected.result, 5 + kSums, "result");
  ExpectClose(context, results[1], expected.grad_y, 8 + kSums, "grad_y");
  ExpectClose(context, results[2], expected.grad_gamma, 6 + kSums, "grad_gamma");
  ExpectClose(context, results[3], expected.grad_beta, 1 + kSums, "grad_beta");
  if (gates.defined()) ExpectClose(context, results[4], expected.grad_gates, 8 + kSums, "grad_gates");
  ExpectClose(context, test.running_mean, expected.mean, 4 + kSums, "running mean");
  ExpectClose(context, test.running_variance, expected.variance, 6 + kSums, "running variance");
}

// Open, half open and closed.
Tensor SomeGates(Context& context, int64_t channels) {
  const std::vector<float> kinds = {1, 0.5f, 0, 0.8f, 0.0625f, 0.0624f, 0.25f};
  std::vector<float> gates(channels);
  for (size_t c = 0; c < gates.size(); ++c) gates[c] = kinds[c % kinds.size()];
  return FromHost(context, gates, {channels});
}

TEST(FoldedBatchNormOfResult, ForwardAndGradients) {
  testing::TestContext context;
  for (const Shape& shape : FoldedShapes()) {
    // Of two values the variance may be tiny, and with it everything else large.
    const int64_t channels = shape[shape.rank() - 1];
    if (shape.size() / channels < 4) continue;
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      for (const bool gated : {false, true}) {
        for (const bool of_float : {false, true}) {
          SCOPED_TRACE(NameOf(shape) + (gated ? " gated" : "") + (of_float ? " float statistics" : ""));
          CheckOfResult(context, shape, activation, gated ? SomeGates(context, channels) : Tensor(), of_float);
        }
      }
    }
  }
}

TEST(FoldedBatchNormOfResult, NoGatesAreOnes) {
  testing::TestContext context;
  const auto run = [&](const Tensor& gates) {
    const FoldedCase test = MakeFoldedCase(context, {33, 17});
    auto tensors = RunWithGradients(
        context,
        [&](Context& c, In in) {
          return FoldedBatchNormOfResult(c, in[0], in[1], in[2], gates, test.running_mean, test.running_variance);
        },
        {test.y, test.gamma, test.beta}, test.g);
    tensors.push_back(test.running_mean), tensors.push_back(test.running_variance);
    std::vector<std::vector<uint32_t>> bits;
    for (const Tensor& tensor : tensors) bits.push_back(testing::BitsOf(ToHost<float>(context, tensor)));
    return bits;
  };
  EXPECT_EQ(run({}), run(FromHost(context, std::vector<float>(17, 1.0f), {17})));
}

// Where the gain is 0, or its square vanishes, the result is beta and the running statistics stay.
void CheckNoGain(Context& context, float gate) {
  const Tensor y = FromHost<float>(context, {0, 0, 1, 0, 0, 3}, {2, 3});
  const Tensor gamma = FromHost<float>(context, {0, 1e-30f, 2}, {3}), beta = FromHost<float>(context, {5, -6, 7}, {3});
  const Tensor mean = FromHost<float>(context, {1, 2, 3}, {3}), variance = FromHost<float>(context, {4, 5, 4}, {3});
  const auto results = RunWithGradients(
      context,
      [&](Context& c, In in) { return FoldedBatchNormOfResult(c, in[0], in[1], in[2], in[3], mean, variance); },
      {y, gamma, beta, FromHost<float>(context, {gate, gate, 1}, {3})},
      FromHost<float>(context, {1, 1, 1, 1, 1, 1}, {2, 3}));
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
  EXPECT_EQ(ToHost<float>(context, SliceView(results[4], 0, 0, 2)), (std::vector<float>{0, 0}));
  EXPECT_EQ(means[0], 1);
  EXPECT_EQ(means[1], 2);
  EXPECT_EQ(variances[0], 4);
  EXPECT_EQ(variances[1], 5);
  EXPECT_NEAR(means[2], 0.9 * 3 + 0.1 * 2, 1e-5);
  EXPECT_NEAR(variances[2], 0.9 * 4 + 0.1 * 2, 1e-4);  // unbiased: 1 * 2 / 1
}

TEST(FoldedBatchNormOfResult, NoGain) {
  testing::TestContext context;
  for (const float gate : {1.0f, 0.5f, 0.0f}) CheckNoGain(context, gate);
}

TEST(FoldedBatchNormOfResult, OneRowIsBeta) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {1, 5});
  const auto before = ToHost<float>(context, test.running_variance);
  const Tensor result =
      FoldedBatchNormOfResult(context, test.y, test.gamma, test.beta, {}, test.running_mean, test.running_variance);
  EXPECT_EQ(ToHost<float>(context, result), ToHost<float>(context, test.beta));
  EXPECT_EQ(ToHost<float>(context, test.running_variance), before);
}

TEST(FoldedBatchNormOfResult, FloatStatisticsAreTakenAsTheyAre) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {4, 3});
  const Tensor gates = FromHost<float>(context, {1, 0.5f, 0}, {3});
  const Tensor mean = Clone(context, test.running_mean), variance = Clone(context, test.running_variance);
  FoldedBatchNormOfResultParams params;
  params.statistics = test.statistics;
  const Tensor actual = FoldedBatchNormOfResult(context, test.y, test.gamma, test.beta, gates, mean, variance, params);
  const auto expected = ToHost<float>(
      context, FoldedBatchNorm(context, test.y, test.statistics, test.gamma, test.beta, test.running_variance));
  const auto values = ToHost<float>(context, actual);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-5) << i;
  UpdateRunningStatistics(context, test.running_mean, test.running_variance, test.statistics, 4);
  EXPECT_EQ(ToHost<float>(context, mean), ToHost<float>(context, test.running_mean));
  EXPECT_EQ(ToHost<float>(context, variance), ToHost<float>(context, test.running_variance));
  params.statistics = test.gamma;
  testing::ExpectInvalid(
      [&] { FoldedBatchNormOfResult(context, test.y, test.gamma, test.beta, gates, mean, variance, params); },
      {"statistics"});
}

std::vector<float> UnitMatrix(size_t size) {
  std::vector<float> values(size * size);
  for (size_t i = 0; i < size; ++i) values[i * size + i] = 1;
  return values;
}

// With statistics of the float layer gates have the gradient of constant statistics, however far the quantized layer is
// from it; so has gamma, where x goes with the gain.
TEST(FoldedBatchNormOfResult, GatesAndGammaOfFloatStatisticsAsWithConstants) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {16, 5});
  const Tensor gates = FromHost<float>(context, {1, 0.5f, 0.25f, 0, 0.75f}, {5});
  const auto run = [&](bool constant) {
    std::vector<std::vector<float>> gradients;
    const auto results = RunWithGradients(
        context,
        [&](Context& c, In in) {
          // The layer's weight is the unit matrix: x is y, its channels scaled by gain and gate.
          const Tensor unit = FromHost<float>(c, UnitMatrix(5), {5, 5});
          const Tensor weight = ScaleRows(c, ScaleRows(c, unit, FoldedGain(c, in[1], test.running_variance)), in[2]);
          const Tensor x = MatMul(c, in[0], weight, false, true);
          if (constant) return FoldedBatchNorm(c, x, test.statistics, in[1], test.beta, test.running_variance);
          FoldedBatchNormOfResultParams params;
          params.statistics = test.statistics;
          return FoldedBatchNormOfResult(c, x, in[1], test.beta, in[2], Clone(c, test.running_mean),
                                         Clone(c, test.running_variance), params);
        },
        {test.y, test.gamma, gates}, test.g);
    for (const size_t k : {0, 2, 3}) gradients.push_back(ToHost<float>(context, results[k]));
    return gradients;
  };
  const auto actual = run(false), expected = run(true);
  for (size_t k = 0; k < expected.size(); ++k) {
    for (size_t i = 0; i < expected[k].size(); ++i) {
      EXPECT_NEAR(actual[k][i], expected[k][i], 2e-5 * (1 + std::abs(expected[k][i]))) << "value " << k << " at " << i;
    }
  }
}

TEST(FoldedBatchNormOfResult, NoGainWithFloatStatistics) {
  testing::TestContext context;
  const Tensor y = Zeros(context, {2, 1}), gamma = Zeros(context, {1}), beta = FromHost<float>(context, {5}, {1});
  const Tensor mean = FromHost<float>(context, {1}, {1}), variance = FromHost<float>(context, {4}, {1});
  FoldedBatchNormOfResultParams params;
  params.statistics = FromHost<float>(context, {2, 3}, {2, 1});
  const Tensor result = FoldedBatchNormOfResult(context, y, gamma, beta, {}, mean, variance, params);
  EXPECT_EQ(ToHost<float>(context, result), (std::vector<float>{5, 5}));
  EXPECT_NEAR(ToHost<float>(context, mean)[0], 0.9 * 1 + 0.1 * 2, 1e-6);  // the float layer goes on
  EXPECT_NEAR(ToHost<float>(context, variance)[0], 0.9 * 4 + 0.1 * 6, 1e-6);
}

// A channel that is constant gives beta; its mean goes on, so that evaluating does too; its variance stays.
TEST(FoldedBatchNormOfResult, ConstantChannelsKeepTheirVariance) {
  testing::TestContext context;
  const Tensor y = FromHost<float>(context, {0, 1, 0, 3}, {2, 2}), gamma = FromHost<float>(context, {2, 2}, {2});
  const Tensor beta = FromHost<float>(context, {5, 6}, {2}), mean = FromHost<float>(context, {1, 1}, {2});
  const Tensor variance = FromHost<float>(context, {4, 4}, {2});
  EXPECT_EQ(ToHost<float>(context, FoldedBatchNormOfResult(context, y, gamma, beta, {}, mean, variance)).at(0), 5);
  EXPECT_NEAR(ToHost<float>(context, mean)[0], 0.9, 1e-6);
  EXPECT_EQ(ToHost<float>(context, variance)[0], 4);
  EXPECT_NE(ToHost<float>(context, variance)[1], 4);
}

TEST(FoldedBatchNormOfResult, RunningStatisticsStayFinite) {
  testing::TestContext context;
  const Tensor y = FromHost<float>(context, {NAN, 1, INFINITY, 1e30f, 1, 1, 3, 0, -1e30f, 3}, {2, 5});
  const Tensor ones = FromHost<float>(context, {1, 1, 1, 1, 1}, {5});
  const Tensor mean = FromHost<float>(context, {6, 6, 6, 6, 6}, {5}), variance = Clone(context, ones);
  const Tensor gates = FromHost<float>(context, {1, 1, 1, 1, 0.5f}, {5});
  FoldedBatchNormOfResult(context, y, ones, ones, gates, mean, variance, {0.5f, 1e-5f, Activation::kNone});
  const auto means = ToHost<float>(context, mean), variances = ToHost<float>(context, variance);
  for (const int c : {0, 2, 3}) {
    EXPECT_EQ(means[c], 6);
    EXPECT_EQ(variances[c], 1);
  }
  EXPECT_NEAR(means[1], 4, 1e-4);
  EXPECT_NEAR(variances[1], 1.5, 1e-4);
  EXPECT_NEAR(means[4], 5, 1e-4);  // the mean is 2 / 0.5, the variance 1 / 0.25, unbiased 8
  EXPECT_NEAR(variances[4], 4.5, 1e-3);
}

}  // namespace
}  // namespace bitgate
