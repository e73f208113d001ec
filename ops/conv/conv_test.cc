#include "ops/conv/conv.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/conv/conv_kernels.h"
#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::ExpectClose;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::Reference;
using testing::SumTolerance;

struct Case {
  Shape x, w;  // [n, h, w, c], [o, kh, kw, c / groups]
  Conv2dParams params;
  bool bias = true;
};

std::vector<Case> Cases() {
  const Activation relu = Activation::kRelu;
  return {
      {{2, 7, 9, 3}, {5, 3, 3, 3}, {}},                              // odd channels
      {{2, 7, 9, 3}, {5, 3, 3, 3}, {}, false},                       // no bias
      {{3, 12, 12, 1}, {32, 5, 5, 1}, {{1, 1}, {0, 0}, 1, relu}},    // LeNet-5's first layer
      {{2, 12, 12, 32}, {64, 5, 5, 32}, {{1, 1}, {0, 0}, 1, relu}},  // and its second
      {{2, 8, 8, 15}, {17, 3, 3, 15}, {{2, 2}, {1, 1}, 1, relu}},    // vector width +-1, stride
      {{1, 6, 8, 16}, {16, 3, 5, 16}, {{1, 2}, {1, 2}}},             // unequal sides
      {{2, 5, 5, 8}, {12, 3, 3, 2}, {{1, 1}, {1, 1}, 4}},            // groups
      {{2, 9, 9, 16}, {16, 3, 3, 1}, {{2, 2}, {1, 1}, 16, relu}},    // depthwise
      {{1, 4, 4, 1}, {1, 4, 4, 1}, {}},                              // one output
      {{1, 1, 1, 1}, {1, 1, 1, 1}, {{1, 1}, {1, 1}}},                // padding as wide as the kernel
      {{4, 6, 7, 10}, {3, 1, 1, 10}, {{3, 2}, {0, 0}}},              // elements between windows
  };
}

bool OnCpu() { return testing::TestDevice().type == DeviceType::kCpu; }
bool HasBfloat16() { return !OnCpu() || HasBfloat16Units(); }

// Every triple (output element, input element, weight element) of the convolution, as flat indices.
template <class Visit>
void ForEachTerm(const Case& test, const Shape& y, Visit visit) {
  const Shape &x = test.x, &w = test.w;
  const int64_t outputs_per_group = w[0] / test.params.groups;
  for (int64_t n = 0; n < y[0]; ++n) {
    for (int64_t p = 0; p < y[1]; ++p) {
      for (int64_t q = 0; q < y[2]; ++q) {
        for (int64_t o = 0; o < y[3]; ++o) {
          for (int64_t r = 0; r < w[1]; ++r) {
            for (int64_t s = 0; s < w[2]; ++s) {
              const int64_t row = p * test.params.stride[0] - test.params.padding[0] + r;
              const int64_t column = q * test.params.stride[1] - test.params.padding[1] + s;
              if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
              for (int64_t i = 0; i < w[3]; ++i) {
                const int64_t channel = o / outputs_per_group * w[3] + i;
                visit(((n * y[1] + p) * y[2] + q) * y[3] + o, ((n * x[1] + row) * x[2] + column) * x[3] + channel,
                      ((o * w[1] + r) * w[2] + s) * w[3] + i);
              }
            }
          }
        }
      }
    }
  }
}

std::vector<Tensor> Differentiate(Context& context, const Case& test, const std::vector<Tensor>& inputs,
                                  const Tensor& g) {
  return testing::RunWithGradients(
      context,
      [&test](Context& c, const std::vector<Tensor>& in) { return Conv2d(c, in[0], in[1], in[2], test.params); },
      inputs, g);
}

// The same values, 4 bytes past an address that vectors could be read from.
Tensor OffByOne(Context& context, const Tensor& values) {
  const Tensor buffer = Zeros(context, {values.size() + 1});
  const Tensor view = ReshapeView(SliceView(buffer, 0, 1, values.size() + 1), values.shape());
  CopyInto(context, view, values);
  return view;
}

struct Options {
  double rounding = 0;  // of products and results, in epsilons of float32, besides that of float32 sums
  bool unaligned = false;
};

void Check(Context& context, const Case& test, const std::string& name, const Options& options = {}) {
  const auto random = [&](const Shape& shape, uint32_t seed) {
    const Tensor values = RandomTensor(context, shape, seed);
    return options.unaligned ? OffByOne(context, values) : values;
  };
  const Tensor x = random(test.x, 1), w = random(test.w, 2);
  const Tensor bias = test.bias ? random({test.w[0]}, 3) : Tensor();
  const Shape y_shape = Conv2d(context, x, w, bias, test.params).shape();
  const Tensor g = random(y_shape, 4);
  const auto results = Differentiate(context, test, {x, w, bias}, g);
  const auto xv = ToHost<float>(context, x), wv = ToHost<float>(context, w), gv = ToHost<float>(context, g);
  const auto yv = ToHost<float>(context, results[0]);
  const auto bias_values = test.bias ? ToHost<float>(context, bias) : std::vector<float>();
  const bool relu = test.params.activation == Activation::kRelu;

  Reference y(y_shape.size()), grad_x(test.x.size()), grad_w(test.w.size()), grad_bias(test.w[0]);
  for (int64_t i = 0; i < y_shape.size(); ++i) {
    if (test.bias) y.Add(i, bias_values[i % test.w[0]]);
    grad_bias.Add(i % test.w[0], relu && yv[i] <= 0 ? 0.0 : gv[i]);
  }
  ForEachTerm(test, y_shape, [&](int64_t out, int64_t in, int64_t weight) {
    y.Add(out, double{xv[in]} * wv[weight]);
    const double grad = relu && yv[out] <= 0 ? 0.0 : gv[out];
    grad_x.Add(in, grad * wv[weight]);
    grad_w.Add(weight, grad * xv[in]);
  });
  for (double& value : y.value) value = relu ? std::max(value, 0.0) : value;

  const int64_t terms = test.w.size() / test.w[0], positions = y_shape.size() / test.w[0];
  const auto tolerance = [&](int64_t terms) { return SumTolerance(terms) + options.rounding; };
  ExpectClose(context, results[0], y, tolerance(terms), name + " y");
  ExpectClose(context, results[1], grad_x, tolerance(test.w.size() / test.w[3]), name + " grad_x");
  ExpectClose(context, results[2], grad_w, tolerance(positions), name + " grad_w");
  if (test.bias) ExpectClose(context, results[3], grad_bias, SumTolerance(positions), name + " grad_bias");
}

TEST(Conv2d, ForwardAndGradients) {
  testing::TestContext context;
  int number = 0;
  for (const Case& test : Cases()) Check(context, test, "case " + std::to_string(number++));
}

TEST(Conv2d, UnalignedOperands) {
  testing::TestContext context;
  Options options;
  options.unaligned = true;
  int number = 0;
  for (const Case& test : Cases()) Check(context, test, "case " + std::to_string(number++), options);
}

// Operands are rounded or cut to 10 bits of mantissa: an error of up to 2^-10 each, relative to their product.
TEST(Conv2d, Tf32) {
  if (OnCpu()) GTEST_SKIP() << "no tf32 on the cpu";
  Context context(testing::TestDevice(), Compute::kTf32);
  Options options;
  options.rounding = 2 * 0x1p-10 / testing::kEpsilon;
  int number = 0;
  for (const Case& test : Cases()) Check(context, test, "case " + std::to_string(number++), options);
}

// Operands are rounded to 7 bits of mantissa, an error of up to 2^-8 each (their product's is 2^-16 more than the sum),
// and on a GPU results once more.
TEST(Conv2d, Bfloat16) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  Options options;
  options.rounding = (OnCpu() ? 2 * 0x1p-8 + 0x1p-16 : 3 * 0x1p-8) / testing::kEpsilon;
  int number = 0;
  for (const Case& test : Cases()) Check(context, test, "case " + std::to_string(number++), options);
  options.unaligned = true;
  for (const Case& test : Cases()) Check(context, test, "unaligned case " + std::to_string(number++), options);
}

TEST(Conv2d, Bfloat16RoundsAndKeepsWhatIsNotFinite) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  const float infinity = std::numeric_limits<float>::infinity();
  // A tie to even below and above, one past a tie, a carry into the exponent, and overflow.
  const std::vector<float> values = {1 + 0x1p-8f,
                                     1 + 3 * 0x1p-8f,
                                     1 + 0x1p-8f + 0x1p-20f,
                                     2 - 0x1p-9f,
                                     std::numeric_limits<float>::max(),
                                     -infinity,
                                     std::nanf(""),
                                     -0.3f,
                                     0};
  const std::vector<float> rounded = {1, 1 + 0x1p-6f, 1 + 0x1p-7f, 2, infinity, -infinity, 0, -0.30078125f, 0};
  const int64_t count = static_cast<int64_t>(values.size());
  const auto y = ToHost<float>(context, Conv2d(context, FromHost(context, values, {count, 1, 1, 1}),
                                               FromHost<float>(context, {1}, {1, 1, 1, 1}), {}));
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(values[i])) {
      EXPECT_TRUE(std::isnan(y[i])) << y[i];
    } else {
      EXPECT_EQ(y[i], rounded[i]) << values[i];
    }
  }
}

std::vector<std::vector<float>> ToHostAll(Context& context, const std::vector<Tensor>& tensors) {
  std::vector<std::vector<float>> values;
  for (const Tensor& tensor : tensors) {
    if (tensor.defined()) values.push_back(ToHost<float>(context, tensor));
  }
  return values;
}

// Codes of 8 bits need no rounding, and their sums none below 2^24.
TEST(Conv2d, Bfloat16IsExactOnSmallIntegers) {
  if (!OnCpu()) GTEST_SKIP() << "a GPU rounds results to bfloat16";
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context;
  const auto integers = [&](const Shape& shape, uint32_t seed, float low, float high) {
    auto values = testing::RandomValues(shape.size(), seed, low, high);
    for (float& value : values) value = std::floor(value);
    return FromHost(context, values, shape);
  };
  int number = 0;
  for (const Case& test : Cases()) {
    SCOPED_TRACE("case " + std::to_string(number++));
    const Tensor x = integers(test.x, 1, 0, 256), w = integers(test.w, 2, -127, 128);
    const Tensor bias = test.bias ? integers({test.w[0]}, 3, -1000, 1000) : Tensor();
    const Tensor g = integers(Conv2d(context, x, w, bias, test.params).shape(), 4, -127, 128);
    const auto run = [&](Compute compute) {
      context.set_compute(compute);
      const auto results = ToHostAll(context, Differentiate(context, test, {x, w, bias}, g));
      for (const auto& values : results) {
        for (float value : values) EXPECT_LT(std::abs(value), 0x1p24f);
      }
      return results;
    };
    EXPECT_EQ(run(Compute::kBfloat16), run(Compute::kFloat32));
  }
}

// Codes of x and w, and the result that steps make of them, to the last bit.
struct CodesCase {
  std::vector<float> x, w;
  Tensor bias;

  std::vector<float> Expected(Context& context, const Case& test, const Shape& y, const OperandSteps& steps) const {
    std::vector<int64_t> sums(static_cast<size_t>(y.size()));
    ForEachTerm(test, y, [&](int64_t out, int64_t in, int64_t weight) {
      sums[out] += static_cast<int64_t>(x[in]) * static_cast<int64_t>(w[weight]);
    });
    const std::vector<float> added = bias.defined() ? ToHost<float>(context, bias) : std::vector<float>(test.w[0], 0);
    std::vector<float> values;
    for (size_t i = 0; i < sums.size(); ++i) {
      EXPECT_LT(std::abs(sums[i]), int64_t{1} << 24);
      const float value = static_cast<float>(sums[i]) * (steps.input * steps.weight) + added[i % added.size()];
      values.push_back(test.params.activation == Activation::kRelu ? std::max(value, 0.0f) : value);
    }
    return values;
  }
};

// Float values of codes are no bfloat16 numbers; known steps make codes of them again, and the sums exact.
TEST(Conv2d, Bfloat16IsExactOnCodesOfKnownSteps) {
  if (!OnCpu()) GTEST_SKIP() << "a GPU rounds results to bfloat16";
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  int number = 0, rounded = 0;
  for (Case test : Cases()) {
    SCOPED_TRACE("case " + std::to_string(number++));
    for (const bool wide_inputs : {true, false}) {  // 256 by 64 or 15 by 255: of Bayesian Bits and of BSQ
      CodesCase codes{testing::RandomIntegers(test.x.size(), 1, 0, wide_inputs ? 256 : 15),
                      testing::RandomIntegers(test.w.size(), 2, wide_inputs ? -64 : -255, wide_inputs ? 64 : 255),
                      test.bias ? RandomTensor(context, {test.w[0]}, 3) : Tensor()};
      size_t plans = 0;
      for (const OperandSteps& steps : {OperandSteps{0.0371f, 0.00913f}, OperandSteps{1e-4f, 3.3f}}) {
        const Tensor x = FromHost(context, testing::Times(codes.x, steps.input), test.x);
        const Tensor w = FromHost(context, testing::Times(codes.w, steps.weight), test.w);
        test.params.steps = {};
        const Tensor y = Conv2d(context, x, w, codes.bias, test.params);
        test.params.steps = steps;
        const auto exact = ToHost<float>(context, Conv2d(context, x, w, codes.bias, test.params));
        EXPECT_EQ(exact, codes.Expected(context, test, y.shape(), steps));
        rounded += ToHost<float>(context, y) != exact ? 1 : 0;
        if (plans > 0) {
          EXPECT_EQ(context.kernel().plans.size(), plans) << "a plan serves all steps";
        }
        plans = context.kernel().plans.size();
      }
    }
  }
  EXPECT_GT(rounded, 0) << "without steps operands are rounded";
}

TEST(Conv2d, StepsChangeNeitherGradientsNorOtherComputes) {
  testing::TestContext context;
  Case test = Cases()[5];
  const Tensor x = FromHost(context, testing::Times(testing::RandomIntegers(test.x.size(), 1, 0, 15), 0.3f), test.x);
  const Tensor w = FromHost(context, testing::Times(testing::RandomIntegers(test.w.size(), 2, -3, 3), 0.1f), test.w);
  const Tensor bias = RandomTensor(context, {test.w[0]}, 3);
  const Tensor g = RandomTensor(context, Conv2d(context, x, w, bias, test.params).shape(), 4);
  const auto run = [&](const OperandSteps& steps) {
    test.params.steps = steps;
    return ToHostAll(context, Differentiate(context, test, {x, w, bias}, g));
  };
  EXPECT_EQ(run({0.3f, 0.1f}), run({}));
  if (!HasBfloat16() || !OnCpu()) return;
  context.set_compute(Compute::kBfloat16);
  const auto with = run({0.3f, 0.1f}), without = run({});
  EXPECT_NE(with[0], without[0]);
  for (size_t i = 1; i < with.size(); ++i) EXPECT_EQ(with[i], without[i]) << i;
}

TEST(Conv2d, EachCallComputesAsTheContextSaysThen) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  testing::TestContext context;
  const Case test = Cases()[4];
  const Tensor x = RandomTensor(context, test.x, 1), w = RandomTensor(context, test.w, 2);
  const Tensor bias = RandomTensor(context, {test.w[0]}, 3);
  const Tensor g = RandomTensor(context, Conv2d(context, x, w, bias, test.params).shape(), 4);
  const auto run = [&](Compute compute) {
    context.set_compute(compute);
    return ToHostAll(context, Differentiate(context, test, {x, w, bias}, g));
  };
  const auto exact = run(Compute::kFloat32), rounded = run(Compute::kBfloat16);
  for (int i = 0; i < 3; ++i) EXPECT_NE(exact[i], rounded[i]) << i;
  EXPECT_EQ(run(Compute::kFloat32), exact);
  EXPECT_EQ(run(Compute::kBfloat16), rounded);
}

#if defined(BG_CUDA)
// What runs where cuDNN refuses.
TEST(Conv2d, DirectKernelsComputeTheSame) {
  testing::TestContext context;
  if (context.device().type == DeviceType::kCpu) GTEST_SKIP() << "needs BITGATE_TEST_DEVICE=cuda:0";
  int number = 0;
  for (const Case& test : Cases()) {
    const std::string name = "case " + std::to_string(number++);
    const Tensor x = RandomTensor(context, test.x, 1), w = RandomTensor(context, test.w, 2);
    Conv2dParams params = test.params;
    params.activation = Activation::kNone;
    const Tensor y = Clone(context, Conv2d(context, x, w, {}, params)), g = RandomTensor(context, y.shape(), 4);
    const Tensor grad_x = Clone(context, x), grad_w = Clone(context, w);
    cuda::Conv2dForwardDirect(context.kernel(), y.view(), x.view(), w.view(), params);
    cuda::Conv2dBackwardDataDirect(context.kernel(), grad_x.view(), g.view(), w.view(), params);
    cuda::Conv2dBackwardWeightsDirect(context.kernel(), grad_w.view(), g.view(), x.view(), params);
    const auto xv = ToHost<float>(context, x), wv = ToHost<float>(context, w), gv = ToHost<float>(context, g);
    Reference y_expected(y.size()), x_expected(x.size()), w_expected(w.size());
    ForEachTerm(test, y.shape(), [&](int64_t out, int64_t in, int64_t weight) {
      y_expected.Add(out, double{xv[in]} * wv[weight]);
      x_expected.Add(in, double{gv[out]} * wv[weight]);
      w_expected.Add(weight, double{gv[out]} * xv[in]);
    });
    ExpectClose(context, y, y_expected, SumTolerance(w.size() / test.w[0]), name + " y");
    ExpectClose(context, grad_x, x_expected, SumTolerance(w.size() / test.w[3]), name + " grad_x");
    ExpectClose(context, grad_w, w_expected, SumTolerance(y.size() / test.w[0]), name + " grad_w");
  }
}
#endif

void CheckSecondStep(Context& context) {
  for (const Case& test : Cases()) {
    const Tensor x = RandomTensor(context, test.x, 1), w = RandomTensor(context, test.w, 2);
    const Tensor bias = test.bias ? RandomTensor(context, {test.w[0]}, 3) : Tensor();
    const Tensor g = RandomTensor(context, Conv2d(context, x, w, bias, test.params).shape(), 4);
    Differentiate(context, test, {x, w, bias}, g);
    const int64_t allocations = context.pool()->statistics().system_allocations;
    const size_t plans = context.kernel().plans.size();
    const auto first = Differentiate(context, test, {x, w, bias}, g);
    EXPECT_EQ(context.pool()->statistics().system_allocations, allocations);
    EXPECT_EQ(context.kernel().plans.size(), plans);
    const auto second = Differentiate(context, test, {x, w, bias}, g);
    for (size_t i = 0; i < first.size(); ++i) {
      if (!first[i].defined()) continue;
      EXPECT_EQ(ToHost<float>(context, first[i]), ToHost<float>(context, second[i]));
    }
  }
}

TEST(Conv2d, SecondStepOfTheSameShapeAllocatesNothing) {
  testing::TestContext context;
  CheckSecondStep(context);
}

TEST(Conv2d, SecondStepInBfloat16AllocatesNothing) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  CheckSecondStep(context);
}

TEST(Conv2d, CanBeCapturedOnceItHasRun) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "a device that captures nothing";
  const Case test = Cases()[3];
  const Tensor x = RandomTensor(context, test.x, 1), w = RandomTensor(context, test.w, 2);
  const Tensor bias = RandomTensor(context, {test.w[0]}, 3);
  const Tensor g = RandomTensor(context, Conv2d(context, x, w, bias, test.params).shape(), 4);
  std::vector<Tensor> results;
  const auto step = [&] {
    const Tensor y = Conv2d(context, x, w, bias, test.params), grad_x = Empty(context, test.x);
    const Tensor grad_w = Empty(context, test.w), grad_bias = Empty(context, {test.w[0]});
    results = {y, grad_x, grad_w, grad_bias};
#if defined(BG_CUDA)
    cuda::Conv2dBackward(context.kernel(), grad_x.view(), grad_w.view(), grad_bias.view(), g.view(), x.view(), w.view(),
                         test.params);
#endif
  };
  EXPECT_THROW(context.backend().Capture(step), NotCapturable);
  const auto values = [&] {
    std::vector<std::vector<float>> values;
    for (const Tensor& result : results) values.push_back(ToHost<float>(context, result));
    return values;
  };
  step();
  const auto of_first_x = values();
  CopyInto(context, x, RandomTensor(context, test.x, 5));
  step();
  const auto of_second_x = values();
  EXPECT_NE(of_first_x, of_second_x);
  results.clear();
  const auto captured = context.backend().Capture(step);
  captured->Replay();
  EXPECT_EQ(values(), of_second_x);
  CopyInto(context, x, RandomTensor(context, test.x, 1));
  captured->Replay();
  EXPECT_EQ(values(), of_first_x);
}

TEST(Conv2d, EmptyBatch) {
  testing::TestContext context;
  const Case test{{0, 5, 5, 2}, {3, 3, 3, 2}, {}};
  const Tensor w = RandomTensor(context, test.w, 2), bias = RandomTensor(context, {3}, 3);
  const auto results = Differentiate(context, test, {Zeros(context, test.x), w, bias}, Zeros(context, {0, 3, 3, 3}));
  EXPECT_EQ(results[0].shape(), (Shape{0, 3, 3, 3}));
  EXPECT_EQ(results[1].shape(), test.x);
  EXPECT_EQ(ToHost<float>(context, results[2]), std::vector<float>(test.w.size(), 0.0f));
  EXPECT_EQ(ToHost<float>(context, results[3]), std::vector<float>(3, 0.0f));
}

// A frozen kernel with a trained bias: the bias' gradient is then a sum of its own.
TEST(Conv2d, GradientOfTheBiasAlone) {
  testing::TestContext context;
  const Tensor x = RandomTensor(context, {2, 4, 4, 3}, 1), w = RandomTensor(context, {5, 3, 3, 3}, 2);
  const Tensor g = RandomTensor(context, {2, 2, 2, 5}, 4), bias = RandomTensor(context, {5}, 3);
  const auto results = testing::RunWithGradients(
      context, [&](Context& c, const std::vector<Tensor>& in) { return Conv2d(c, x, w, in[0]); }, {bias}, g);
  Reference expected(5);
  const auto gv = ToHost<float>(context, g);
  for (size_t i = 0; i < gv.size(); ++i) expected.Add(i % 5, gv[i]);
  ExpectClose(context, results[1], expected, 1, "grad_bias");
}

TEST(Conv2d, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {1, 5, 5, 4}), w = Zeros(context, {6, 3, 3, 4});
  const auto conv = [&](const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dParams params = {}) {
    return [&context, x, w, bias, params] { Conv2d(context, x, w, bias, params); };
  };
  ExpectInvalid(conv(Zeros(context, {5, 5, 4}), w, {}), {"conv2d: expected x of rank 4, got shape [5, 5, 4]"});
  ExpectInvalid(conv(x, Zeros(context, {6, 3, 3, 3}), {}), {"conv2d: expected w", "[6, 3, 3, 3]", "[1, 5, 5, 4]"});
  ExpectInvalid(conv(x, w, {}, {{1, 1}, {0, 0}, 2}), {"conv2d: expected w", "2 groups"});
  ExpectInvalid(conv(x, w, {}, {{1, 1}, {0, 0}, 0}), {"conv2d: expected w", "0 groups"});
  ExpectInvalid(conv(x, w, Zeros(context, {5})), {"conv2d: expected bias of shape [6], got [5]"});
  ExpectInvalid(conv(x, Zeros(context, {6, 6, 3, 4}), {}), {"conv2d: expected height + 2 padding", "6", "5"});
  ExpectInvalid(conv(x, w, {}, {{0, 1}, {0, 0}}), {"conv2d: expected kernel and stride of at least 1", "stride 0"});
  ExpectInvalid(conv(x, w, {}, {{1, 1}, {0, -1}}), {"conv2d: expected padding in [0,", "width", "-1"});
  ExpectInvalid(conv(x, Zeros(context, {0, 3, 3, 4}), {}), {"conv2d: expected w", "[0, 3, 3, 4]"});
  for (const OperandSteps& steps : {OperandSteps{0.5f, 0}, OperandSteps{-1, 1}, OperandSteps{1e-40f, 1},
                                    OperandSteps{1, std::nanf("")}, OperandSteps{1e-30f, 1e-30f}}) {
    Conv2dParams params;
    params.steps = steps;
    ExpectInvalid(conv(x, w, {}, params), {"conv2d: expected operand steps that are positive, or both 0, got"});
  }
}

}  // namespace
}  // namespace bitgate
