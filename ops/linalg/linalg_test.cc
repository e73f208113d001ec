#include "ops/linalg/linalg.h"

#include <algorithm>

#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::ExpectClose;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::Reference;
using testing::SumTolerance;

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

TEST(MatMul, ForwardAndGradientsOfEveryOrientation) {
  testing::TestContext context;
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
      ExpectClose(context, results[0], Multiply(av, bv, m, k, n, ta, tb), SumTolerance(k), "y");
      ExpectClose(context, results[1], ta ? Transposed(grad_a, m, k) : grad_a, SumTolerance(n), "grad_a");
      ExpectClose(context, results[2], tb ? Transposed(grad_b, k, n) : grad_b, SumTolerance(m), "grad_b");
    }
  }
}

TEST(Linear, ForwardAndGradients) {
  testing::TestContext context;
  for (const auto& size : Sizes()) {
    const int64_t n = size[0], in = size[1], out = size[2];
    if (in == 0 || out == 0) continue;
    for (const bool relu : {false, true}) {
      for (const bool with_bias : {false, true}) {
        const Tensor x = RandomTensor(context, {n, in}, 1), w = RandomTensor(context, {out, in}, 2);
        const Tensor bias = with_bias ? RandomTensor(context, {out}, 3) : Tensor();
        const Tensor g = RandomTensor(context, {n, out}, 4);
        const auto results = testing::RunWithGradients(
            context,
            [&](Context& c, const std::vector<Tensor>& t) {
              return Linear(c, t[0], t[1], t[2], relu ? Activation::kRelu : Activation::kNone);
            },
            {x, w, bias}, g);
        const auto xv = ToHost<float>(context, x), wv = ToHost<float>(context, w);
        auto gv = ToHost<float>(context, g);
        const auto yv = ToHost<float>(context, results[0]);
        Reference y = Multiply(xv, wv, n, in, out, false, true), grad_bias(out);
        for (int64_t i = 0; i < n * out; ++i) {
          if (with_bias) y.Add(i, ToHost<float>(context, bias)[i % out]);
          if (relu) y.value[i] = std::max(y.value[i], 0.0);
          if (relu && yv[i] <= 0) gv[i] = 0;
          grad_bias.Add(i % out, gv[i]);
        }
        ExpectClose(context, results[0], y, SumTolerance(in), "y");
        ExpectClose(context, results[1], Multiply(gv, wv, n, out, in, false, false), SumTolerance(out), "grad_x");
        ExpectClose(context, results[2], Multiply(gv, xv, out, n, in, true, false), SumTolerance(n), "grad_w");
        if (with_bias) ExpectClose(context, results[3], grad_bias, 1, "grad_bias");  // summed in double
      }
    }
  }
}

TEST(Linear, SecondStepOfTheSameShapeAllocatesNothing) {
  testing::TestContext context;
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

TEST(Linalg, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3}), w = Zeros(context, {4, 3});
  ExpectInvalid([&] { Linear(context, x, Zeros(context, {4, 2}), {}); }, {"linear: expected w", "[4, 2]", "[2, 3]"});
  ExpectInvalid([&] { Linear(context, x, w, Zeros(context, {3})); }, {"linear: expected bias of shape [4], got [3]"});
  ExpectInvalid([&] { Linear(context, Zeros(context, {3}), w, {}); }, {"linear: expected x of rank 2, got shape [3]"});
  ExpectInvalid([&] { MatMul(context, x, w); }, {"matmul: expected [m, k] by [k, n], got [2, 3] by [4, 3]"});
  ExpectInvalid([&] { MatMul(context, x, w, true, true); }, {"[2, 3] transposed by [4, 3] transposed"});
}

}  // namespace
}  // namespace bitgate
