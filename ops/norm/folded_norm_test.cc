#include "ops/norm/folded_norm.h"

#include <algorithm>
#include <cmath>

#include "ops/norm/folded_norm_kernels.h"
#include "ops/norm/folded_norm_testing.h"
#include "ops/norm/norm.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace {

using testing::Doubles;
using testing::ExpectClose;
using testing::ExpectDerivatives;
using testing::ExpectInvalid;
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

// ---- the weight's side ----

Tensor RunScaleRows(Context& c, In in) { return ScaleRows(c, in[0], in[1]); }

TEST(ScaleRows, ForwardAndGradients) {
  testing::TestContext context;
  for (const Shape& shape : std::vector<Shape>{
           {1}, {5}, {3, 1}, {0, 4}, {4, 0}, {8, 3, 3, 3}, {16, 3, 3, 16}, {2, 9000}, {300, 33}, {1, 20001}}) {
    SCOPED_TRACE(NameOf(shape));
    const int64_t rows = shape[0], elements = rows == 0 ? 0 : shape.size() / rows;
    const Tensor w = RandomTensor(context, shape, 1), gain = RandomTensor(context, {rows}, 2);
    const Tensor g = RandomTensor(context, shape, 3);
    const auto results = RunWithGradients(context, RunScaleRows, {w, gain}, g);
    const auto wv = ToHost<float>(context, w), gains = ToHost<float>(context, gain), gv = ToHost<float>(context, g);
    std::vector<float> y(wv.size()), grad_w(wv.size());
    Reference grad_gain(rows);
    for (size_t i = 0; i < wv.size(); ++i) {
      const int64_t r = static_cast<int64_t>(i) / elements;
      y[i] = wv[i] * gains[r], grad_w[i] = gv[i] * gains[r];
      grad_gain.Add(r, double{wv[i]} * gv[i]);
    }
    EXPECT_EQ(ToHost<float>(context, results[0]), y);
    EXPECT_EQ(ToHost<float>(context, results[1]), grad_w);
    ExpectClose(context, results[2], grad_gain, 1, "grad_gain");  // summed in double, rounded once
  }
}

TEST(ScaleRows, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  const auto bits = [](Context& context) {
    const auto results =
        RunWithGradients(context, RunScaleRows, {RandomTensor(context, {9, 3, 3, 7}, 1), RandomTensor(context, {9}, 2)},
                         RandomTensor(context, {9, 3, 3, 7}, 3));
    std::vector<std::vector<uint32_t>> bits;
    for (int i = 0; i < 2; ++i) bits.push_back(testing::BitsOf(ToHost<float>(context, results[i])));
    return bits;
  };
  EXPECT_EQ(bits(context), bits(cpu));
}

TEST(FoldedGain, ValuesAndGradients) {
  testing::TestContext context;
  const Tensor variance = RandomTensor(context, {37}, 1, 0.1f, 3);
  const auto v = ToHost<float>(context, variance);
  ExpectDerivatives(
      context, [&](Context& c, In in) { return FoldedGain(c, in[0], variance); },
      [&](const std::vector<Doubles>& in) {
        Doubles y(in[0].size());
        for (size_t c = 0; c < y.size(); ++c) y[c] = in[0][c] / std::sqrt(v[c] + kSmallEpsilon);
        return y;
      },
      {RandomTensor(context, {37}, 2)}, {37}, 1e-6);
}

TEST(FoldedShift, ValuesAndGradients) {
  testing::TestContext context;
  const Tensor mean = RandomTensor(context, {37}, 1), variance = RandomTensor(context, {37}, 2, 0.1f, 3);
  const auto m = ToHost<float>(context, mean), v = ToHost<float>(context, variance);
  ExpectDerivatives(
      context, [&](Context& c, In in) { return FoldedShift(c, in[0], in[1], mean, variance); },
      [&](const std::vector<Doubles>& in) {
        Doubles y(in[0].size());
        for (size_t c = 0; c < y.size(); ++c) y[c] = in[1][c] - in[0][c] * m[c] / std::sqrt(v[c] + kSmallEpsilon);
        return y;
      },
      {RandomTensor(context, {37}, 3), RandomTensor(context, {37}, 4)}, {37}, 1e-6);
}

// ---- the result's side ----

// The same values, 4 bytes past an address that vectors could be read from.
Tensor OffByOne(Context& context, const Tensor& values) {
  const Tensor buffer = Zeros(context, {values.size() + 1});
  const Tensor view = ReshapeView(SliceView(buffer, 0, 1, values.size() + 1), values.shape());
  CopyInto(context, view, values);
  return view;
}

std::vector<Tensor> RunFolded(Context& context, const FoldedCase& test, const FoldedBatchNormParams& params) {
  return RunWithGradients(
      context,
      [&](Context& c, In in) { return FoldedBatchNorm(c, in[0], in[1], in[2], in[3], test.running_variance, params); },
      {test.y, test.statistics, test.gamma, test.beta}, test.g);
}

void CheckFolded(Context& context, const FoldedCase& test, const FoldedBatchNormParams& params) {
  const int64_t channels = test.gamma.size();
  const auto y = ToHost<float>(context, test.y), statistics = ToHost<float>(context, test.statistics),
             gamma = ToHost<float>(context, test.gamma), beta = ToHost<float>(context, test.beta),
             running = ToHost<float>(context, test.running_variance);
  auto g = ToHost<float>(context, test.g);
  const auto results = RunFolded(context, test, params);
  const auto rv = ToHost<float>(context, results[0]);
  Reference result(y.size()), grad_y(y.size()), grad_statistics(2 * channels), grad_gamma(channels),
      grad_beta(channels);
  for (size_t i = 0; i < y.size(); ++i) {
    const int64_t c = static_cast<int64_t>(i) % channels;
    const double sigma = std::sqrt(statistics[channels + c] + double{params.epsilon}), mean = statistics[c];
    const double slope = std::sqrt(running[c] + double{params.epsilon}) / sigma;
    result.Add(i, y[i] * slope);
    result.Add(i, -gamma[c] * mean / sigma);
    const double before_beta = result.value[i];
    result.Add(i, beta[c]);
    if (params.activation == Activation::kRelu) {
      result.value[i] = std::max(result.value[i], 0.0);
      if (rv[i] <= 0) g[i] = 0;
    }
    const double magnitude = std::abs(y[i] * slope) + std::abs(gamma[c] * mean / sigma);
    grad_y.Add(i, g[i] * slope);
    grad_beta.Add(c, g[i]);
    grad_gamma.Add(c, -g[i] * mean / sigma);
    grad_statistics.Add(c, -g[i] * gamma[c] / sigma);
    grad_statistics.Add(channels + c, -g[i] * before_beta / (2 * sigma * sigma));
    grad_statistics.magnitude[channels + c] += std::abs(g[i]) * magnitude / (2 * sigma * sigma);
  }
  // Each is a handful of rounded operations.
  ExpectClose(context, results[0], result, 4 + kSums, "result");
  ExpectClose(context, results[1], grad_y, 3 + kSums, "grad_y");
  ExpectClose(context, results[2], grad_statistics, 4 + kSums, "grad_statistics");
  ExpectClose(context, results[3], grad_gamma, 1 + kSums, "grad_gamma");
  ExpectClose(context, results[4], grad_beta, 1 + kSums, "grad_beta");
}

TEST(FoldedBatchNorm, ForwardAndGradients) {
  testing::TestContext context;
  for (const Shape& shape : FoldedShapes()) {
    for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
      SCOPED_TRACE(NameOf(shape));
      CheckFolded(context, MakeFoldedCase(context, shape), {1e-5f, activation});
    }
  }
  CheckFolded(context, MakeFoldedCase(context, {1, 5}), {0.25f, Activation::kRelu});
}

TEST(FoldedBatchNorm, UnalignedOperands) {
  testing::TestContext context;
  for (const Shape& shape : {Shape{40, 256}, Shape{9000, 20}, Shape{5, 16}}) {
    FoldedCase test = MakeFoldedCase(context, shape);
    test.y = OffByOne(context, test.y), test.g = OffByOne(context, test.g);
    CheckFolded(context, test, {});
  }
}

TEST(FoldedBatchNorm, GradientsAreDifferencesOfTheFormulaInDouble) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {6, 5});
  const auto running = ToHost<float>(context, test.running_variance);
  ExpectDerivatives(
      context, [&](Context& c, In in) { return FoldedBatchNorm(c, in[0], in[1], in[2], in[3], test.running_variance); },
      [&](const std::vector<Doubles>& in) {
        Doubles result(in[0].size());
        for (size_t i = 0; i < result.size(); ++i) {
          const size_t c = i % 5;
          const double batch = std::sqrt(in[1][5 + c] + kSmallEpsilon), run = std::sqrt(running[c] + kSmallEpsilon);
          result[i] = in[0][i] * (run / batch) + in[3][c] - in[2][c] * in[1][c] / batch;
        }
        return result;
      },
      {test.y, test.statistics, test.gamma, test.beta}, {6, 5});
}

TEST(FoldedBatchNorm, NoRows) {
  testing::TestContext context;
  const auto results = RunFolded(context, MakeFoldedCase(context, {0, 5}), {});
  EXPECT_EQ(results[0].shape(), (Shape{0, 5}));
  EXPECT_EQ(results[1].shape(), (Shape{0, 5}));
  EXPECT_EQ(ToHost<float>(context, results[2]), std::vector<float>(10, 0.0f));
  EXPECT_EQ(ToHost<float>(context, results[4]), std::vector<float>(5, 0.0f));
}

// Only what is watched gets a gradient; the rest is as before, statistics off the tape included.
TEST(FoldedBatchNorm, ConstantsGetNoGradient) {
  testing::TestContext context;
  const FoldedCase test = MakeFoldedCase(context, {33, 17});
  const auto all = RunFolded(context, test, {});
  const auto some = RunWithGradients(
      context,
      [&](Context& c, In in) {
        return FoldedBatchNorm(c, in[0], test.statistics, in[1], test.beta, test.running_variance);
      },
      {test.y, test.gamma}, test.g);
  const auto channels = RunWithGradients(
      context,
      [&](Context& c, In in) { return FoldedBatchNorm(c, test.y, in[0], test.gamma, in[1], test.running_variance); },
      {test.statistics, test.beta}, test.g);
  EXPECT_EQ(ToHost<float>(context, some[1]), ToHost<float>(context, all[1]));
  EXPECT_EQ(ToHost<float>(context, some[2]), ToHost<float>(context, all[3]));
  EXPECT_EQ(ToHost<float>(context, channels[1]), ToHost<float>(context, all[2]));
  EXPECT_EQ(ToHost<float>(context, channels[2]), ToHost<float>(context, all[4]));
}

// ---- running statistics ----

TEST(UpdateRunningStatistics, IsBatchNormsUpdate) {
  testing::TestContext context;
  for (const Shape& shape : {Shape{1, 5}, Shape{2, 3, 4, 8}, Shape{3001, 3}}) {
    for (const float momentum : {0.0f, 0.1f, 1.0f}) {
      const FoldedCase test = MakeFoldedCase(context, shape);
      const int64_t channels = test.gamma.size(), rows = test.y.size() / channels;
      const Tensor mean = Clone(context, test.running_mean), variance = Clone(context, test.running_variance);
      BatchNormParams params;
      params.momentum = momentum;
      Tensor statistics;
      BatchNorm(context, test.y, test.gamma, test.beta, mean, variance, params, &statistics);
      UpdateRunningStatistics(context, test.running_mean, test.running_variance, statistics, rows, momentum);
      EXPECT_EQ(ToHost<float>(context, test.running_mean), ToHost<float>(context, mean)) << shape;
      EXPECT_EQ(ToHost<float>(context, test.running_variance), ToHost<float>(context, variance)) << shape;
    }
  }
}

TEST(UpdateRunningStatistics, SameBitsOnEveryDevice) {
  testing::TestContext context;
  Context cpu;
  const auto bits = [](Context& context) {
    const FoldedCase test = MakeFoldedCase(context, {7, 300});
    UpdateRunningStatistics(context, test.running_mean, test.running_variance, test.statistics, 7, 0.3f);
    return std::make_pair(testing::BitsOf(ToHost<float>(context, test.running_mean)),
                          testing::BitsOf(ToHost<float>(context, test.running_variance)));
  };
  EXPECT_EQ(bits(context), bits(cpu));
}

// Of each channel alone: one batch that overflows must not stay in them.
TEST(UpdateRunningStatistics, LeavesThemWhereABatchIsNotFinite) {
  testing::TestContext context;
  const Tensor mean = FromHost<float>(context, {1, 2, 3, 4, 5}, {5}), variance = Clone(context, mean);
  const Tensor statistics = FromHost<float>(context, {NAN, 0, -INFINITY, 0, 3, 1, INFINITY, 1, 3e38f, 1}, {2, 5});
  for (const float momentum : {0.0f, 0.5f}) UpdateRunningStatistics(context, mean, variance, statistics, 2, momentum);
  EXPECT_EQ(ToHost<float>(context, mean), (std::vector<float>{1, 2, 3, 4, 4}));
  EXPECT_EQ(ToHost<float>(context, variance), (std::vector<float>{1, 2, 3, 4, 3.5f}));
}

// ---- all of them ----

std::vector<std::vector<uint32_t>> KernelBits(Context& context, Isa isa, const FoldedCase& test, bool relu) {
  const int64_t channels = test.gamma.size(), rows = test.y.size() / channels;
  const Tensor mean = SliceView(test.statistics, 0, 0, 1), variance = SliceView(test.statistics, 0, 1, 2);
  std::vector<Tensor> out;
  const auto channel = [&] { return out.emplace_back(Zeros(context, {channels})).view(); };
  const auto like_y = [&] { return out.emplace_back(Zeros(context, test.y.shape())).view(); };
  KernelContext& kernel = context.kernel();
  out.reserve(48);
  const View folded_mean = channel(), deviation = channel();
  BG_KERNEL_OF(isa, FoldNorm)
  (kernel, folded_mean, deviation, test.gamma.view(), mean.view(), test.running_variance.view(), 1e-5f, channels);
  const FoldedNormGradients gradients{like_y(), channel(), channel(), channel(), channel()};
  const FoldedNormOperands operands{test.g.view(),     test.y.view(),    mean.view(), variance.view(),
                                    test.gamma.view(), test.beta.view(), folded_mean, deviation};
  BG_KERNEL_OF(isa, FoldedNormBackward)(kernel, gradients, operands, 1e-5f, relu, rows, channels);
  const View gain = channel(), inverse = channel(), shift = channel(), slope = channel();
  BG_KERNEL_OF(isa, FoldGain)
  (kernel, gain, inverse, test.gamma.view(), test.running_variance.view(), 1e-5f, channels);
  BG_KERNEL_OF(isa, FoldShift)
  (kernel, shift, slope, test.gamma.view(), test.beta.view(), mean.view(), variance.view(), 1e-5f, channels);
  const Tensor running_mean = out.emplace_back(Clone(context, test.running_mean));
  const Tensor running_variance = out.emplace_back(Clone(context, test.running_variance));
  const Tensor gates = RandomTensor(context, {channels}, 8, 0, 1), other_mean = RandomTensor(context, {channels}, 9);
  const UnfoldedStatistics unfolded{channel(), channel(), channel(), channel(), channel(), channel()};
  BG_KERNEL_OF(isa, UnfoldStatistics)
  (kernel, unfolded, running_mean.view(), running_variance.view(),
   {mean.view(), variance.view(), {}, {}, test.gamma.view(), gates.view()}, 0.1f, 1e-5f, rows, channels);
  const UnfoldGradients unfold{channel(), channel(), channel(), channel()};
  BG_KERNEL_OF(isa, UnfoldBackward)
  (kernel, unfold, unfolded, test.beta.view(), test.gamma.view(), mean.view(), channels);
  const UnfoldedStatistics of_float{channel(), channel(), channel(), channel(), channel(), channel()};
  BG_KERNEL_OF(isa, UnfoldStatistics)
  (kernel, of_float, running_mean.view(), running_variance.view(),
   {other_mean.view(), variance.view(), mean.view(), variance.view(), test.gamma.view(), gates.view()}, 0.1f, 1e-5f,
   rows, channels);
  BG_KERNEL_OF(isa, UpdateRunning)
  (kernel, running_mean.view(), running_variance.view(), mean.view(), variance.view(), 0.1f, rows, channels);
  const View scaled = like_y(), grad_w = like_y();
  const Tensor gains = RandomTensor(context, {rows}, 3);
  const View grad_gain = out.emplace_back(Zeros(context, {rows})).view();
  BG_KERNEL_OF(isa, ScaleRows)(kernel, scaled, test.y.view(), gains.view(), rows, channels);
  BG_KERNEL_OF(isa, ScaleRowsBackward)
  (kernel, grad_w, grad_gain, test.y.view(), gains.view(), test.g.view(), rows, channels);
  std::vector<std::vector<uint32_t>> bits;
  for (const Tensor& tensor : out) bits.push_back(testing::BitsOf(ToHost<float>(context, tensor)));
  return bits;
}

TEST(FoldedBatchNorm, SameBitsOnEveryIsaAndThreadCount) {
  Context context;
  const int threads = Threads();
  for (const Shape& shape : FoldedShapes()) {
    const FoldedCase test = MakeFoldedCase(context, shape);
    for (const bool relu : {false, true}) {
      std::vector<std::vector<uint32_t>> expected;
      for (const Isa isa : testing::IsasToTest()) {
        for (const int count : {1, 2, 3}) {
          SetThreads(count);
          const auto bits = KernelBits(context, isa, test, relu);
          if (expected.empty()) expected = bits;
          EXPECT_EQ(bits, expected) << shape << " " << IsaName(isa) << ", " << count << " threads";
        }
      }
    }
  }
  SetThreads(threads);
}

TEST(FoldedBatchNorm, SecondStepGivesTheSameBits) {
  testing::TestContext context;
  for (const Shape& shape : FoldedShapes()) {
    const FoldedCase test = MakeFoldedCase(context, shape);
    const auto step = [&] {
      std::vector<std::vector<uint32_t>> bits;
      for (const Tensor& result : RunFolded(context, test, {1e-5f, Activation::kRelu})) {
        bits.push_back(testing::BitsOf(ToHost<float>(context, result)));
      }
      return bits;
    };
    EXPECT_EQ(step(), step()) << shape;
  }
}

TEST(FoldedBatchNorm, BadOperands) {
  testing::TestContext context;
  const Tensor y = Zeros(context, {4, 3}), c = Zeros(context, {3}), four = Zeros(context, {4}),
               none = Zeros(context, {0, 3}), statistics = Zeros(context, {2, 3}), nothing = Zeros(context, {0});
  ExpectInvalid([&] { ScaleRows(context, y, c); }, {"scale_rows: expected gain of shape [4], got [3]"});
  ExpectInvalid([&] { ScaleRows(context, Zeros(context, {}), c); }, {"scale_rows: expected w of shape [o, ...]"});
  ExpectInvalid([&] { FoldedGain(context, c, four); },
                {"folded_gain: expected running_variance of shape [3], got [4]"});
  ExpectInvalid([&] { FoldedGain(context, nothing, nothing); }, {"folded_gain: expected gamma", "one channel", "[0]"});
  ExpectInvalid([&] { FoldedGain(context, c, c, 0); }, {"folded_gain: expected epsilon above 0, got 0"});
  ExpectInvalid([&] { FoldedShift(context, y, c, c, c); }, {"folded_shift: expected gamma of shape [c]", "[4, 3]"});
  ExpectInvalid([&] { FoldedShift(context, c, four, c, c); }, {"folded_shift: expected beta of shape [3], got [4]"});
  ExpectInvalid([&] { FoldedShift(context, c, c, four, c); }, {"folded_shift: expected running_mean of shape [3]"});
  ExpectInvalid([&] { FoldedShift(context, c, c, c, four); }, {"folded_shift: expected running_variance of shape [3]"});
  ExpectInvalid([&] { FoldedShift(context, c, c, c, c, NAN); }, {"folded_shift: expected epsilon above 0"});
  const auto folded = [&](const Tensor& y, const Tensor& statistics, const Tensor& gamma, const Tensor& running,
                          float epsilon = 1) {
    return [&context, y, statistics, gamma, running, epsilon, c] {
      FoldedBatchNorm(context, y, statistics, gamma, c, running, {epsilon, Activation::kNone});
    };
  };
  ExpectInvalid(folded(c, statistics, c, c), {"folded_batch_norm: expected x of shape [..., c]", "[3]"});
  ExpectInvalid(folded(y, c, c, c), {"folded_batch_norm: expected statistics of shape [2, 3], got [3]"});
  ExpectInvalid(folded(y, statistics, four, c), {"folded_batch_norm: expected gamma of shape [3], got [4]"});
  ExpectInvalid(folded(y, statistics, c, four), {"folded_batch_norm: expected running_variance of shape [3]"});
  ExpectInvalid(folded(y, statistics, c, c, -1), {"folded_batch_norm: expected epsilon above 0, got -1"});
  const auto of_result = [&](const Tensor& y, const Tensor& gamma, const Tensor& running, float momentum = 0.1f) {
    return [&context, y, gamma, running, momentum, c] {
      FoldedBatchNormOfResult(context, y, gamma, c, {}, running, c, {momentum, 1, Activation::kNone});
    };
  };
  ExpectInvalid(of_result(none, c, c), {"folded_batch_norm_of_result: expected at least one value", "x [0, 3]"});
  ExpectInvalid(of_result(y, four, c), {"folded_batch_norm_of_result: expected gamma of shape [3], got [4]"});
  ExpectInvalid(of_result(y, c, four), {"folded_batch_norm_of_result: expected running_mean of shape [3]"});
  ExpectInvalid([&] { FoldedBatchNormOfResult(context, y, c, c, four, c, c); },
                {"folded_batch_norm_of_result: expected gates of shape [3], got [4]"});
  ExpectInvalid(of_result(y, c, c, 2), {"folded_batch_norm_of_result: expected momentum in [0, 1], got 2"});
  const auto update = [&](const Tensor& running, const Tensor& statistics, int64_t rows, float momentum) {
    return [&context, running, statistics, rows, momentum, c] {
      UpdateRunningStatistics(context, c, running, statistics, rows, momentum);
    };
  };
  ExpectInvalid(update(four, statistics, 1, 0), {"update_running_statistics: expected running_variance of shape [3]"});
  ExpectInvalid(update(c, c, 1, 0), {"update_running_statistics: expected statistics of shape [2, 3], got [3]"});
  ExpectInvalid(update(c, statistics, 0, 0), {"update_running_statistics: expected", "at least one row, got 0"});
  ExpectInvalid(update(c, statistics, 1, -1), {"update_running_statistics: expected momentum in [0, 1], got -1"});
}

}  // namespace
}  // namespace bitgate
