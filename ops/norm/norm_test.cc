#include "ops/norm/norm.h"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "ops/norm/folded_norm_testing.h"
#include "ops/norm/norm_kernels.h"
#include "ops/op_testing.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace {

using testing::ExpectClose;
using testing::ExpectInvalid;
using testing::kSums;
using testing::RandomTensor;
using testing::RandomValues;
using testing::Reference;

// Narrow and wide rows, around vectors and tiles, one row, and more rows than a block takes.
const std::vector<Shape>& Shapes() {
  static const auto* const shapes = new std::vector<Shape>{
      {1, 1},     {1, 5},    {7, 1},    {2, 3},     {5, 16},          {33, 17},     {2, 3, 4, 8}, {3, 5, 7, 15},
      {100, 127}, {9, 128},  {10, 129}, {40, 256},  {3, 257},         {6, 1000},    {2, 5003},    {3001, 3},
      {9000, 20}, {1, 4096}, {700, 64}, {20000, 4}, {4, 20, 30, 100}, {2, 9, 9, 31}};
  return *shapes;
}

struct Size {
  int64_t rows, channels;
  explicit Size(const Shape& shape) : rows(shape.size() / shape[shape.rank() - 1]), channels(shape[shape.rank() - 1]) {}
};

// Mean and variance of each channel in double.
struct Moments {
  std::vector<double> mean, variance;

  Moments(const std::vector<float>& x, const Size& size) : mean(size.channels), variance(size.channels) {
    for (size_t i = 0; i < x.size(); ++i) mean[i % size.channels] += x[i] / static_cast<double>(size.rows);
    for (size_t i = 0; i < x.size(); ++i) {
      const double moved = x[i] - mean[i % size.channels];
      variance[i % size.channels] += moved * moved / static_cast<double>(size.rows);
    }
  }
};

// The same values, 4 bytes past an address that vectors could be read from.
Tensor OffByOne(Context& context, const Tensor& values) {
  const Tensor buffer = Zeros(context, {values.size() + 1});
  const Tensor view = ReshapeView(SliceView(buffer, 0, 1, values.size() + 1), values.shape());
  CopyInto(context, view, values);
  return view;
}

struct Case {
  Tensor x, gamma, beta, running_mean, running_variance, g;
};

Case MakeCase(Context& context, const Shape& shape, bool unaligned = false) {
  const Shape channels = {Size(shape).channels};
  const auto random = [&](const Shape& shape, uint32_t seed, float low, float high) {
    const Tensor values = RandomTensor(context, shape, seed, low, high);
    return unaligned ? OffByOne(context, values) : values;
  };
  return {random(shape, 1, -2, 3),    random(channels, 2, 0.5f, 1.5f), random(channels, 3, -1, 1),
          random(channels, 4, -1, 1), random(channels, 5, 0.5f, 2),    random(shape, 6, -1, 1)};
}

std::vector<Tensor> Differentiate(Context& context, const Case& test, const BatchNormParams& params,
                                  Tensor* statistics = nullptr) {
  return testing::RunWithGradients(
      context,
      [&](Context& c, const std::vector<Tensor>& in) {
        return BatchNorm(c, in[0], in[1], in[2], test.running_mean, test.running_variance, params, statistics);
      },
      {test.x, test.gamma, test.beta}, test.g);
}

void Check(Context& context, const Case& test, const BatchNormParams& params) {
  const Size size(test.x.shape());
  const int64_t channels = size.channels;
  const double n = static_cast<double>(size.rows);
  const auto x = ToHost<float>(context, test.x), gamma = ToHost<float>(context, test.gamma),
             beta = ToHost<float>(context, test.beta), old_mean = ToHost<float>(context, test.running_mean),
             old_variance = ToHost<float>(context, test.running_variance);
  auto g = ToHost<float>(context, test.g);
  Tensor statistics;
  const auto results = Differentiate(context, test, params, &statistics);
  Moments moments(x, size);
  Reference both(2 * channels), new_mean(channels), new_variance(channels);
  for (int64_t c = 0; c < channels; ++c) {
    both.Add(c, moments.mean[c]);
    both.magnitude[c] = 3;
    both.Add(channels + c, moments.variance[c]);
    const double unbiased = moments.variance[c] * n / std::max(n - 1, 1.0);
    new_mean.Add(c, (1 - params.momentum) * old_mean[c]);
    new_mean.Add(c, params.momentum * moments.mean[c]);
    new_variance.Add(c, (1 - params.momentum) * old_variance[c]);
    new_variance.Add(c, params.momentum * unbiased);
    if (params.training) continue;
    moments.mean[c] = old_mean[c], moments.variance[c] = old_variance[c];
    new_mean.value[c] = old_mean[c], new_variance.value[c] = old_variance[c];
  }
  if (params.training) ExpectClose(context, statistics, both, 1 + kSums, "statistics");
  // 1 - momentum and the mean are rounded too.
  ExpectClose(context, test.running_mean, new_mean, params.training ? 3 + kSums : 0, "running mean");
  ExpectClose(context, test.running_variance, new_variance, params.training ? 3 + kSums : 0, "running variance");

  Reference y(x.size()), grad_x(x.size()), grad_gamma(channels), grad_beta(channels);
  const auto deviation = [&](int64_t c) { return std::sqrt(moments.variance[c] + double{params.epsilon}); };
  const bool relu = params.activation == Activation::kRelu;
  const auto yv = ToHost<float>(context, results[0]);
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % channels;
    const double slope = gamma[c] / deviation(c);
    y.Add(i, slope * (x[i] - moments.mean[c]));
    y.Add(i, beta[c]);
    y.magnitude[i] += slope * (std::abs(x[i]) + std::abs(moments.mean[c]));  // of the difference, and what is rounded
    if (relu) y.value[i] = std::max(y.value[i], 0.0);
    if (relu && yv[i] <= 0) g[i] = 0;
    grad_beta.Add(c, g[i]);
    grad_gamma.Add(c, g[i] * (x[i] - moments.mean[c]) / deviation(c));
    grad_gamma.magnitude[c] += std::abs(g[i]) * (std::abs(x[i]) + std::abs(moments.mean[c])) / deviation(c);
  }
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t c = i % channels;
    const double slope = gamma[c] / deviation(c);
    grad_x.Add(i, slope * g[i]);
    if (!params.training) continue;
    grad_x.Add(i, -slope * grad_beta.value[c] / n);
    grad_x.Add(i, -slope * (x[i] - moments.mean[c]) / deviation(c) * grad_gamma.value[c] / n);
    // grad_gamma has been rounded, and the place on the line.
    grad_x.magnitude[i] += slope * (std::abs(x[i]) + std::abs(moments.mean[c])) / deviation(c) *
                           (grad_gamma.magnitude[c] + grad_beta.magnitude[c]) / n;
  }
  // Each is a handful of operations on rounded statistics: half an epsilon each.
  ExpectClose(context, results[0], y, 4 + kSums, "y");
  ExpectClose(context, results[1], grad_x, 6 + kSums, "grad_x");
  ExpectClose(context, results[2], grad_gamma, 4 + kSums, "grad_gamma");
  ExpectClose(context, results[3], grad_beta, 1 + kSums, "grad_beta");
}

TEST(BatchNorm, ForwardAndGradients) {
  testing::TestContext context;
  for (const Shape& shape : Shapes()) {
    for (const bool training : {true, false}) {
      for (const Activation activation : {Activation::kNone, Activation::kRelu}) {
        std::ostringstream name;
        name << shape << (training ? " training" : " inference");
        SCOPED_TRACE(name.str());
        BatchNormParams params;
        params.training = training;
        params.activation = activation;
        // Of one row the variance is 0: what the result is divided by is epsilon alone, so not a tiny one.
        if (Size(shape).rows == 1) params.epsilon = 0.25f;
        Check(context, MakeCase(context, shape), params);
      }
    }
  }
}

TEST(BatchNorm, UnalignedOperands) {
  testing::TestContext context;
  for (const Shape& shape : {Shape{40, 256}, Shape{9000, 20}, Shape{5, 16}}) {
    Check(context, MakeCase(context, shape, /*unaligned=*/true), {});
  }
}

TEST(BatchNorm, MomentumFromNoneToAll) {
  testing::TestContext context;
  for (const float momentum : {0.0f, 0.3f, 1.0f}) {
    BatchNormParams params;
    params.momentum = momentum;
    Check(context, MakeCase(context, {33, 17}), params);
  }
}

// What x is may be gone with the next step; what is in the running statistics stays in them.
TEST(BatchNorm, RunningStatisticsStayFinite) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {NAN, 1, INFINITY, 1e30f, 1, 1, 3, 0, -1e30f, 3}, {2, 5});
  const Tensor ones = FromHost<float>(context, {1, 1, 1, 1, 1}, {5});
  const Tensor mean = FromHost<float>(context, {6, 6, 6, 6, 6}, {5}), variance = Clone(context, mean);
  BatchNormParams params;
  params.momentum = 0.5f;
  const auto y = ToHost<float>(context, BatchNorm(context, x, ones, ones, mean, variance, params));
  EXPECT_TRUE(std::isnan(y[0]));
  EXPECT_EQ(ToHost<float>(context, mean), (std::vector<float>{6, 4, 6, 6, 4}));
  EXPECT_EQ(ToHost<float>(context, variance), (std::vector<float>{6, 4, 6, 6, 4}));  // 2, unbiased
}

// Far from 0 the squares' difference must not cancel.
TEST(BatchNorm, VarianceOfChannelsFarFromZero) {
  testing::TestContext context;
  const std::vector<float> x = {10000, 10001, 10002, 10001};
  const auto statistics = ToHost<float>(context, ChannelStatistics(context, FromHost(context, x, {4, 1})));
  EXPECT_EQ(statistics, (std::vector<float>{10001, 0.5f}));
}

TEST(BatchNorm, OneRowIsBeta) {
  testing::TestContext context;
  const Case test = MakeCase(context, {1, 5});
  Tensor statistics;
  const auto before = ToHost<float>(context, test.running_variance);
  const auto results = Differentiate(context, test, {}, &statistics);
  EXPECT_EQ(ToHost<float>(context, results[0]), ToHost<float>(context, ReshapeView(test.beta, {1, 5})));
  EXPECT_EQ(ToHost<float>(context, results[2]), std::vector<float>(5, 0.0f));
  EXPECT_EQ(ToHost<float>(context, SliceView(statistics, 0, 1, 2)), std::vector<float>(5, 0.0f));
  const auto after = ToHost<float>(context, test.running_variance);
  for (int c = 0; c < 5; ++c) EXPECT_NEAR(after[c], 0.9f * before[c], 1e-6f);
}

TEST(BatchNorm, NoRows) {
  testing::TestContext context;
  const Case test = MakeCase(context, {0, 5});
  BatchNormParams params;
  params.training = false;
  const auto results = Differentiate(context, test, params);
  EXPECT_EQ(results[0].shape(), (Shape{0, 5}));
  EXPECT_EQ(ToHost<float>(context, results[2]), std::vector<float>(5, 0.0f));
  EXPECT_EQ(ToHost<float>(context, results[3]), std::vector<float>(5, 0.0f));
}

TEST(BatchNorm, SecondStepAllocatesNothingAndGivesTheSameBits) {
  testing::TestContext context;
  for (const Shape& shape : Shapes()) {
    const Case test = MakeCase(context, shape);
    const auto step = [&] {
      std::vector<std::vector<uint32_t>> bits;
      for (const Tensor& result : Differentiate(context, test, {})) {
        bits.push_back(testing::BitsOf(ToHost<float>(context, result)));
      }
      return bits;
    };
    const auto first = step();
    const int64_t allocations = context.pool()->statistics().system_allocations;
    EXPECT_EQ(step(), first) << shape;
    EXPECT_EQ(context.pool()->statistics().system_allocations, allocations);
  }
}

TEST(BatchNorm, SameBitsOnEveryIsaAndThreadCount) {
  Context context;
  const int threads = Threads();
  for (const Shape& shape : Shapes()) {
    const Case test = MakeCase(context, shape);
    const Size size(shape);
    std::vector<std::vector<uint32_t>> expected;
    for (const Isa isa : testing::IsasToTest()) {
      for (const int count : {1, 2, 3}) {
        SetThreads(count);
        const Tensor mean = Empty(context, {size.channels}), variance = Empty(context, {size.channels});
        const Tensor running_mean = Clone(context, test.running_mean), y = Empty(context, shape);
        const Tensor running_variance = Clone(context, test.running_variance), grad_x = Empty(context, shape);
        const Tensor constant = Empty(context, shape), of_statistics = Empty(context, shape);
        const Tensor grad_gamma = Empty(context, {size.channels}), grad_beta = Empty(context, {size.channels});
        BG_KERNEL_OF(isa, ChannelStatistics)
        (context.kernel(), mean.view(), variance.view(), running_mean.view(), running_variance.view(), test.x.view(),
         0.1f, size.rows, size.channels);
        BG_KERNEL_OF(isa, BatchNormForward)
        (context.kernel(), y.view(), test.x.view(), mean.view(), variance.view(), test.gamma.view(), test.beta.view(),
         1e-5f, true, size.rows, size.channels);
        BG_KERNEL_OF(isa, BatchNormBackwardChannels)
        (context.kernel(), grad_gamma.view(), grad_beta.view(), test.g.view(), test.x.view(), mean.view(),
         variance.view(), 1e-5f, size.rows, size.channels);
        BG_KERNEL_OF(isa, BatchNormBackwardData)
        (context.kernel(), grad_x.view(), test.g.view(), test.x.view(), mean.view(), variance.view(), test.gamma.view(),
         grad_gamma.view(), grad_beta.view(), 1e-5f, size.rows, size.channels);
        BG_KERNEL_OF(isa, BatchNormBackwardData)
        (context.kernel(), constant.view(), test.g.view(), test.x.view(), mean.view(), variance.view(),
         test.gamma.view(), {}, {}, 1e-5f, size.rows, size.channels);
        BG_KERNEL_OF(isa, ChannelStatisticsBackward)
        (context.kernel(), of_statistics.view(), test.gamma.view(), test.beta.view(), test.x.view(), mean.view(),
         size.rows, size.channels);
        std::vector<std::vector<uint32_t>> bits;
        for (const Tensor& tensor : {mean, variance, running_mean, running_variance, y, grad_gamma, grad_beta, grad_x,
                                     constant, of_statistics}) {
          bits.push_back(testing::BitsOf(ToHost<float>(context, tensor)));
        }
        if (expected.empty()) expected = bits;
        EXPECT_EQ(bits, expected) << shape << " " << IsaName(isa) << ", " << count << " threads";
      }
    }
  }
  SetThreads(threads);
}

TEST(ChannelStatistics, ValuesAndGradients) {
  testing::TestContext context;
  for (const Shape& shape : Shapes()) {
    std::ostringstream name;
    name << shape;
    SCOPED_TRACE(name.str());
    const Size size(shape);
    const Tensor x = RandomTensor(context, shape, 1, -2, 3), g = RandomTensor(context, {2, size.channels}, 2);
    const auto results = testing::RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return ChannelStatistics(c, in[0]); }, {x}, g);
    const auto xv = ToHost<float>(context, x), gv = ToHost<float>(context, g);
    const Moments moments(xv, size);
    Reference y(2 * size.channels), grad_x(xv.size());
    for (int64_t c = 0; c < size.channels; ++c) {
      y.Add(c, moments.mean[c]);
      y.magnitude[c] = 3;
      y.Add(size.channels + c, moments.variance[c]);
    }
    for (size_t i = 0; i < xv.size(); ++i) {
      const int64_t c = i % size.channels;
      const double n = static_cast<double>(size.rows), slope = 2 * gv[size.channels + c] / n;
      grad_x.Add(i, gv[c] / n);
      grad_x.Add(i, slope * (xv[i] - moments.mean[c]));
      grad_x.magnitude[i] += std::abs(slope) * (std::abs(xv[i]) + std::abs(moments.mean[c]));
    }
    ExpectClose(context, results[0], y, 1 + kSums, "statistics");
    ExpectClose(context, results[1], grad_x, 2 + kSums, "grad_x");
  }
}

TEST(BatchNorm, CanBeCapturedOnceItHasRun) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "a device that captures nothing";
  const Case test = MakeCase(context, {700, 64});
  const Tensor old_mean = Clone(context, test.running_mean);
  Tensor y;
  const auto step = [&] {
    y = BatchNorm(context, test.x, test.gamma, test.beta, test.running_mean, test.running_variance);
  };
  step();
  const auto expected = ToHost<float>(context, y), mean = ToHost<float>(context, test.running_mean);
  y = Tensor();
  const auto captured = context.backend().Capture(step);
  CopyInto(context, test.running_mean, old_mean);
  captured->Replay();
  EXPECT_EQ(ToHost<float>(context, y), expected);
  EXPECT_EQ(ToHost<float>(context, test.running_mean), mean);
}

TEST(BatchNorm, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {4, 3}), c = Zeros(context, {3}), none = Zeros(context, {0, 3});
  const auto norm = [&](const Tensor& x, const Tensor& gamma, const Tensor& running, BatchNormParams params = {}) {
    return [&context, x, gamma, running, params, c] { BatchNorm(context, x, gamma, c, c, running, params); };
  };
  ExpectInvalid(norm(c, c, c), {"batch_norm: expected x of shape [..., c]", "[3]"});
  ExpectInvalid(norm(Zeros(context, {4, 0}), c, c), {"at least one channel", "[4, 0]"});
  ExpectInvalid(norm(none, c, c), {"batch_norm: expected at least one value of each channel", "[0, 3]"});
  ExpectInvalid(norm(x, Zeros(context, {4}), c), {"batch_norm: expected gamma of shape [3], got [4]"});
  ExpectInvalid(norm(x, c, Zeros(context, {4})), {"batch_norm: expected running_variance of shape [3], got [4]"});
  BatchNormParams params;
  params.momentum = 1.5f;
  ExpectInvalid(norm(x, c, c, params), {"momentum in [0, 1]", "1.5"});
  params = {};
  params.epsilon = 0;
  ExpectInvalid(norm(x, c, c, params), {"epsilon above 0", "0"});
  ExpectInvalid([&] { ChannelStatistics(context, none); }, {"channel_statistics: expected at least one value"});
  ExpectInvalid([&] { ChannelStatistics(context, c); }, {"channel_statistics: expected x of shape [..., c]"});
}

}  // namespace
}  // namespace bitgate
