#include "ops/linalg/linalg.h"

#include <algorithm>
#include <cmath>

#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::ExpectClose;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::Reference;
using testing::SumTolerance;

bool OnCpu() { return testing::TestDevice().type == DeviceType::kCpu; }
bool HasBfloat16() { return !OnCpu() || HasBfloat16Units(); }

// The reference product of row-major op(a) [m, k] and op(b) [k, n].
Reference Multiply(const std::vector<float>& a, const std::vector<float>& b, int64_t m, int64_t k, int64_t n, bool ta,
                   bool tb) {
  Reference y(m * n);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      for (int64_t l = 0; l < k; ++l) {
        y.Add(i * n + j, double{a[ta ? l * m + i : i * k + l]} * b[tb ? j * k + l : l * n + j]);
      }
    }
  }
  return y;
}

Shape Oriented(int64_t rows, int64_t columns, bool transposed) {
  return transposed ? Shape{columns, rows} : Shape{rows, columns};
}

Reference Transposed(const Reference& y, int64_t rows, int64_t columns) {
  Reference t(rows * columns);
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      t.value[j * rows + i] = y.value[i * columns + j];
      t.magnitude[j * rows + i] = y.magnitude[i * columns + j];
    }
  }
  return t;
}

const std::vector<std::vector<int64_t>>& Sizes() {  // m, k, n
  static const auto* const sizes = new std::vector<std::vector<int64_t>>{
      {1, 1, 1}, {0, 3, 4}, {3, 0, 4}, {3, 4, 0}, {5, 7, 3}, {15, 17, 16}, {33, 31, 17}, {1, 64, 10}, {64, 1, 9}};
  return *sizes;
}

// The same values, 4 bytes past an address that vectors could be read from.
Tensor OffByOne(Context& context, const Tensor& values) {
  const Tensor buffer = Zeros(context, {values.size() + 1});
  const Tensor view = ReshapeView(SliceView(buffer, 0, 1, values.size() + 1), values.shape());
  CopyInto(context, view, values);
  return view;
}

// `rounding`: of products, in epsilons of float32, besides that of float32 sums.
void CheckMatMul(Context& context, double rounding) {
  const auto tolerance = [&](int64_t terms) { return SumTolerance(terms) + rounding; };
  for (const auto& size : Sizes()) {
    const int64_t m = size[0], k = size[1], n = size[2];
    for (int orientation = 0; orientation < 4; ++orientation) {
      const bool ta = (orientation & 1) != 0, tb = (orientation & 2) != 0;
      const Tensor a = RandomTensor(context, Oriented(m, k, ta), 1), b = RandomTensor(context, Oriented(k, n, tb), 2);
      const Tensor g = RandomTensor(context, {m, n}, 3);
      const auto results = testing::RunWithGradients(
          context, [&](Context& c, const std::vector<Tensor>& in) { return MatMul(c, in[0], in[1], ta, tb); }, {a, b},
          g);
      const auto av = ToHost<float>(context, a), bv = ToHost<float>(context, b), gv = ToHost<float>(context, g);
      const Reference grad_a = Multiply(gv, bv, m, n, k, false, !tb), grad_b = Multiply(av, gv, k, m, n, !ta, false);
      EXPECT_EQ(results[0].shape(), (Shape{m, n}));
      ExpectClose(context, results[0], Multiply(av, bv, m, k, n, ta, tb), tolerance(k), "y");
      ExpectClose(context, results[1], ta ? Transposed(grad_a, m, k) : grad_a, tolerance(n), "grad_a");
      ExpectClose(context, results[2], tb ? Transposed(grad_b, k, n) : grad_b, tolerance(m), "grad_b");
    }
  }
}

TEST(MatMul, ForwardAndGradientsOfEveryOrientation) {
  testing::TestContext context;
  CheckMatMul(context, 0);
}

// Operands are rounded or cut to 10 bits of mantissa: an error of up to 2^-10 each, relative to their product.
TEST(MatMul, Tf32) {
  if (OnCpu()) GTEST_SKIP() << "no tf32 on the cpu";
  Context context(testing::TestDevice(), Compute::kTf32);
  CheckMatMul(context, 2 * 0x1p-10 / testing::kEpsilon);
}

// Operands are rounded to 7 bits of mantissa, an error of up to 2^-8 each (their product's is 2^-16 more than the sum),
// or on a GPU perhaps cut: up to 2^-7.
double Bfloat16Rounding() { return (OnCpu() ? 2 * 0x1p-8 + 0x1p-16 : 2 * 0x1p-7) / testing::kEpsilon; }

TEST(MatMul, Bfloat16) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  CheckMatMul(context, Bfloat16Rounding());
}

// Codes of 8 bits need no rounding, and their sums none below 2^24.
TEST(MatMul, Bfloat16IsExactOnSmallIntegers) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  testing::TestContext context;
  const auto codes = [&](const Shape& shape, uint32_t seed, float low, float high) {
    auto values = testing::RandomValues(shape.size(), seed, low, high);
    for (float& value : values) value = std::floor(value);
    return FromHost(context, values, shape);
  };
  const int64_t m = 37, k = 500, n = 41;
  for (int orientation = 0; orientation < 4; ++orientation) {
    const bool ta = (orientation & 1) != 0, tb = (orientation & 2) != 0;
    const Tensor a = codes(Oriented(m, k, ta), 1, 0, 256), b = codes(Oriented(k, n, tb), 2, -127, 128);
    const auto run = [&](Compute compute) {
      context.set_compute(compute);
      return ToHost<float>(context, MatMul(context, a, b, ta, tb));
    };
    EXPECT_EQ(run(Compute::kBfloat16), run(Compute::kFloat32));
  }
}

void CheckLinear(Context& context, bool unaligned, double rounding = 0) {
  const auto tolerance = [&](int64_t terms) { return SumTolerance(terms) + rounding; };
  const auto random = [&](const Shape& shape, uint32_t seed) {
    const Tensor values = RandomTensor(context, shape, seed);
    return unaligned ? OffByOne(context, values) : values;
  };
  for (const auto& size : Sizes()) {
    const int64_t n = size[0], in = size[1], out = size[2];
    if (in == 0 || out == 0) continue;
    for (const bool relu : {false, true}) {
      for (const bool with_bias : {false, true}) {
        const Tensor x = random({n, in}, 1), w = random({out, in}, 2);
        const Tensor bias = with_bias ? random({out}, 3) : Tensor();
        const Tensor g = random({n, out}, 4);
        const auto results = testing::RunWithGradients(
            context,
            [&](Context& c, const std::vector<Tensor>& t) {
              return Linear(c, t[0], t[1], t[2], relu ? Activation::kRelu : Activation::kNone);
            },
            {x, w, bias}, g);
        const auto xv = ToHost<float>(context, x), wv = ToHost<float>(context, w);
        auto gv = ToHost<float>(context, g);
        const auto yv = ToHost<float>(context, results[0]);
        const auto bias_values = with_bias ? ToHost<float>(context, bias) : std::vector<float>();
        Reference y = Multiply(xv, wv, n, in, out, false, true), grad_bias(out);
        for (int64_t i = 0; i < n * out; ++i) {
          if (with_bias) y.Add(i, bias_values[i % out]);
          if (relu) y.value[i] = std::max(y.value[i], 0.0);
          if (relu && yv[i] <= 0) gv[i] = 0;
          grad_bias.Add(i % out, gv[i]);
        }
        ExpectClose(context, results[0], y, tolerance(in), "y");
        ExpectClose(context, results[1], Multiply(gv, wv, n, out, in, false, false), tolerance(out), "grad_x");
        ExpectClose(context, results[2], Multiply(gv, xv, out, n, in, true, false), tolerance(n), "grad_w");
        if (with_bias) ExpectClose(context, results[3], grad_bias, 1, "grad_bias");  // summed in double
      }
    }
  }
}

TEST(Linear, ForwardAndGradients) {
  testing::TestContext context;
  CheckLinear(context, /*unaligned=*/false);
}

TEST(Linear, UnalignedOperands) {
  testing::TestContext context;
  CheckLinear(context, /*unaligned=*/true);
}

TEST(Linear, Bfloat16) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  CheckLinear(context, /*unaligned=*/false, Bfloat16Rounding());
  CheckLinear(context, /*unaligned=*/true, Bfloat16Rounding());
}

// Float values of codes are no bfloat16 numbers; known steps make codes of them again, and the sums exact.
TEST(Linear, Bfloat16IsExactOnCodesOfKnownSteps) {
  if (!OnCpu()) GTEST_SKIP() << "steps are for the cpu";
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  const std::vector<OperandSteps> both = {{0.0371f, 0.00913f}, {1e-4f, 3.3f}};
  for (const std::vector<int64_t>& size : {std::vector<int64_t>{37, 500, 41}, {1, 999, 10}, {64, 1, 9}, {5, 7, 3}}) {
    const int64_t n = size[0], in = size[1], out = size[2];
    const auto x = testing::RandomIntegers(n * in, 1, 0, 64), w = testing::RandomIntegers(out * in, 2, -255, 256);
    const Reference sums = Multiply(x, w, n, in, out, false, true);
    for (int variant = 0; variant < 8; ++variant) {
      const bool relu = (variant & 1) != 0, with_bias = (variant & 2) != 0;
      const OperandSteps& steps = both[variant / 4];
      const Tensor bias = with_bias ? RandomTensor(context, {out}, 3) : Tensor();
      const auto added = with_bias ? ToHost<float>(context, bias) : std::vector<float>(out, 0);
      std::vector<float> expected;
      for (int64_t i = 0; i < n * out; ++i) {
        ASSERT_LT(sums.magnitude[i], 0x1p24);
        const float value = static_cast<float>(sums.value[i]) * (steps.input * steps.weight) + added[i % out];
        expected.push_back(relu ? std::max(value, 0.0f) : value);
      }
      const auto run = [&](const OperandSteps& known) {
        return ToHost<float>(context, Linear(context, FromHost(context, testing::Times(x, steps.input), {n, in}),
                                             FromHost(context, testing::Times(w, steps.weight), {out, in}), bias,
                                             relu ? Activation::kRelu : Activation::kNone, known));
      };
      EXPECT_EQ(run(steps), expected) << "variant " << variant;
      EXPECT_NE(run({}), expected) << "without steps operands are rounded";
    }
  }
}

TEST(Linear, StepsChangeNeitherGradientsNorOtherComputes) {
  testing::TestContext context;
  const Tensor x = FromHost(context, testing::Times(testing::RandomIntegers(13 * 50, 1, 0, 15), 0.3f), {13, 50});
  const Tensor w = FromHost(context, testing::Times(testing::RandomIntegers(20 * 50, 2, -3, 3), 0.1f), {20, 50});
  const Tensor bias = RandomTensor(context, {20}, 3), g = RandomTensor(context, {13, 20}, 4);
  const auto run = [&](const OperandSteps& steps) {
    std::vector<std::vector<float>> values;
    for (const Tensor& result : testing::RunWithGradients(
             context,
             [&](Context&c, const std::vector<Tensor>&t) {
               return Linear(c, t[0], t[1], t[2], Activation::kNone, steps);
             },
             {x, w, bias}, g)) {
      values.push_back(ToHost<float>(context, result));
    }
    return values;
  };
  EXPECT_EQ(run({0.3f, 0.1f}), run({}));
  if (!HasBfloat16() || !OnCpu()) return;
  context.set_compute(Compute::kBfloat16);
  const auto with = run({0.3f, 0.1f}), without = run({});
  EXPECT_NE(with[0], without[0]);
  for (size_t i = 1; i < with.size(); ++i) EXPECT_EQ(with[i], without[i]) << i;
}

void CheckSecondStep(Context& context) {
  const Tensor x = RandomTensor(context, {13, 50}, 1), w = RandomTensor(context, {20, 50}, 2);
  const Tensor bias = RandomTensor(context, {20}, 3), g = RandomTensor(context, {13, 20}, 4);
  const auto run = [&] {
    const auto results = testing::RunWithGradients(
        context,
        [](Context& c, const std::vector<Tensor>& t) { return Linear(c, t[0], t[1], t[2], Activation::kRelu); },
        {x, w, bias}, g);
    return ToHost<float>(context, results[2]);
  };
  const auto first = run();
  const int64_t allocations = context.pool()->statistics().system_allocations;
  EXPECT_EQ(run(), first);
  EXPECT_EQ(context.pool()->statistics().system_allocations, allocations);
}

TEST(Linear, SecondStepOfTheSameShapeAllocatesNothing) {
  testing::TestContext context;
  CheckSecondStep(context);
}

TEST(Linear, SecondStepInBfloat16AllocatesNothing) {
  if (!HasBfloat16()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context(testing::TestDevice(), Compute::kBfloat16);
  CheckSecondStep(context);
}

TEST(Linear, CanBeCapturedOnceItHasRun) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "a device that captures nothing";
  const Tensor x = RandomTensor(context, {13, 50}, 1), w = RandomTensor(context, {20, 50}, 2);
  const Tensor bias = OffByOne(context, RandomTensor(context, {20}, 3));
  Tensor y;
  const auto step = [&] { y = Linear(context, x, w, bias, Activation::kRelu); };
  EXPECT_THROW(context.backend().Capture(step), NotCapturable);
  step();
  const auto of_first_x = ToHost<float>(context, y);
  CopyInto(context, x, RandomTensor(context, {13, 50}, 4));
  step();
  const auto of_second_x = ToHost<float>(context, y);
  EXPECT_NE(of_first_x, of_second_x);
  y = Tensor();
  const auto captured = context.backend().Capture(step);
  captured->Replay();
  EXPECT_EQ(ToHost<float>(context, y), of_second_x);
  CopyInto(context, x, RandomTensor(context, {13, 50}, 1));
  captured->Replay();
  EXPECT_EQ(ToHost<float>(context, y), of_first_x);
}

TEST(Linalg, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3}), w = Zeros(context, {4, 3});
  ExpectInvalid([&] { Linear(context, x, Zeros(context, {4, 2}), {}); }, {"linear: expected w", "[4, 2]", "[2, 3]"});
  ExpectInvalid([&] { Linear(context, x, w, Zeros(context, {3})); }, {"linear: expected bias of shape [4], got [3]"});
  ExpectInvalid([&] { Linear(context, Zeros(context, {3}), w, {}); }, {"linear: expected x of rank 2, got shape [3]"});
  ExpectInvalid(
      [&] {
        Linear(context, x, w, {}, Activation::kNone, {0.5f, 0});
      },
      {"linear: expected operand steps that are positive, or both 0, got 0.5 of the input and 0"});
  ExpectInvalid([&] { MatMul(context, x, w); }, {"matmul: expected [m, k] by [k, n], got [2, 3] by [4, 3]"});
  ExpectInvalid([&] { MatMul(context, x, w, true, true); }, {"[2, 3] transposed by [4, 3] transposed"});
}

}  // namespace
}  // namespace bitgate
