#include "ops/pool/pool.h"

#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::ExpectClose;
using testing::ExpectInvalid;
using testing::RandomTensor;
using testing::Reference;

struct Case {
  Shape x;
  Pool2dParams params;
};

const std::vector<Case>& Cases() {
  static const auto* const cases = new std::vector<Case>{
      {{2, 24, 24, 32}, {}},
      {{2, 8, 8, 64}, {}},
      {{1, 1, 1, 1}, {{1, 1}, {1, 1}, {0, 0}}},
      {{2, 7, 9, 8}, {}},                            // the last row and column are in no window
      {{2, 7, 9, 3}, {}},                            // the last row and column are in no window
      {{2, 7, 9, 15}, {{3, 3}, {2, 2}, {1, 1}}},     // overlapping, padded, vector width - 1
      {{2, 6, 5, 17}, {{3, 2}, {1, 2}, {2, 1}}},     // unequal sides, vector width + 1
      {{1, 9, 9, 16}, {{2, 2}, {3, 3}, {0, 0}}},     // elements between windows
      {{1, 17, 18, 2}, {{16, 16}, {1, 1}, {0, 0}}},  // a window too large for a byte
      {{1, 16, 15, 5}, {{16, 15}, {1, 1}, {0, 0}}},  // the whole image
      {{1, 5, 130, 12}, {{3, 3}, {1, 1}, {1, 1}}},   // a row of more than a block of threads
      {{1, 40, 20, 4}, {{20, 13}, {7, 3}, {9, 2}}},  // large, padded, 32 bits of index
  };
  return *cases;
}

int64_t Places(int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  return (size + 2 * padding - kernel) / stride + 1;
}

Shape OutputShape(const Case& test) {
  const Pool2dParams& p = test.params;
  return {test.x[0], Places(test.x[1], p.kernel[0], p.stride[0], p.padding[0]),
          Places(test.x[2], p.kernel[1], p.stride[1], p.padding[1]), test.x[3]};
}

// visit(output element, the window's input elements in row-major order)
template <class Visit>
void ForEachWindow(const Case& test, Visit visit) {
  const Shape y = OutputShape(test), &x = test.x;
  for (int64_t out = 0; out < y.size(); ++out) {
    const int64_t c = out % y[3], q = out / y[3] % y[2], p = out / y[3] / y[2] % y[1], n = out / y[3] / y[2] / y[1];
    std::vector<int64_t> window;
    for (int64_t r = 0; r < test.params.kernel[0]; ++r) {
      for (int64_t s = 0; s < test.params.kernel[1]; ++s) {
        const int64_t row = p * test.params.stride[0] - test.params.padding[0] + r;
        const int64_t column = q * test.params.stride[1] - test.params.padding[1] + s;
        if (row < 0 || row >= x[1] || column < 0 || column >= x[2]) continue;
        window.push_back(((n * x[1] + row) * x[2] + column) * x[3] + c);
      }
    }
    visit(out, window);
  }
}

// The same values, 4 bytes past an address that vectors could be read from.
Tensor OffByOne(Context& context, const Tensor& values) {
  const Tensor buffer = Zeros(context, {values.size() + 1});
  const Tensor view = ReshapeView(SliceView(buffer, 0, 1, values.size() + 1), values.shape());
  CopyInto(context, view, values);
  return view;
}

void CheckMax(Context& context, const Case& test, const Tensor& x, const std::string& name) {
  const Tensor g = RandomTensor(context, OutputShape(test), 4);
  const auto results = testing::RunWithGradients(
      context, [&](Context& c, const std::vector<Tensor>& in) { return MaxPool2d(c, in[0], test.params); }, {x}, g);
  const auto xv = ToHost<float>(context, x), gv = ToHost<float>(context, g);
  std::vector<float> y(g.size());
  Reference grad_x(test.x.size());
  ForEachWindow(test, [&](int64_t out, const std::vector<int64_t>& window) {
    int64_t largest = window[0];
    for (const int64_t i : window) largest = xv[i] > xv[largest] ? i : largest;
    y[out] = xv[largest];
    grad_x.Add(largest, gv[out]);
  });
  EXPECT_EQ(ToHost<float>(context, results[0]), y) << name;
  EXPECT_EQ(ToHost<float>(context, MaxPool2d(context, x, test.params)), y) << name << " without gradient";
  ExpectClose(context, results[1], grad_x, 4, name + " grad_x");  // overlapping windows add a few gradients
}

TEST(MaxPool2d, ForwardAndGradient) {
  testing::TestContext context;
  int number = 0;
  for (const Case& test : Cases()) {
    CheckMax(context, test, RandomTensor(context, test.x, 1), "case " + std::to_string(number++));
  }
}

// Ties everywhere: the gradient goes to the first of the largest. After a ReLU whole windows are zero; negative values
// tell padding from zeros.
TEST(MaxPool2d, FirstOfEqualElementsTakesTheGradient) {
  testing::TestContext context;
  int number = 0;
  for (const Case& test : Cases()) {
    std::vector<float> few = testing::RandomValues(test.x.size(), 7, 0, 2.99f);
    for (float& value : few) value = std::floor(value) - 3;
    const std::string name = "case " + std::to_string(number++);
    CheckMax(context, test, FromHost(context, few, test.x), name + " of three values");
    for (const float value : {0.0f, -1.0f}) {
      CheckMax(context, test, FromHost(context, std::vector<float>(test.x.size(), value), test.x), name + " all equal");
    }
  }
}

void CheckAverage(Context& context, bool unaligned) {
  int number = 0;
  for (const Case& test : Cases()) {
    const std::string name = "case " + std::to_string(number++);
    const Tensor values = RandomTensor(context, test.x, 1), g = RandomTensor(context, OutputShape(test), 4);
    const Tensor x = unaligned ? OffByOne(context, values) : values;
    const auto results = testing::RunWithGradients(
        context, [&](Context& c, const std::vector<Tensor>& in) { return AveragePool2d(c, in[0], test.params); }, {x},
        g);
    const auto xv = ToHost<float>(context, x), gv = ToHost<float>(context, g);
    Reference y(g.size()), grad_x(test.x.size());
    ForEachWindow(test, [&](int64_t out, const std::vector<int64_t>& window) {
      for (const int64_t i : window) {
        y.Add(out, double{xv[i]} / window.size());
        grad_x.Add(i, double{gv[out]} / window.size());
      }
    });
    const double tolerance = testing::SumTolerance(test.params.kernel[0] * test.params.kernel[1]);
    ExpectClose(context, results[0], y, tolerance, name + " y");
    ExpectClose(context, results[1], grad_x, tolerance, name + " grad_x");
  }
}

TEST(AveragePool2d, ForwardAndGradient) {
  testing::TestContext context;
  CheckAverage(context, /*unaligned=*/false);
}

TEST(AveragePool2d, UnalignedOperands) {
  testing::TestContext context;
  CheckAverage(context, /*unaligned=*/true);
}

TEST(MaxPool2d, UnalignedOperands) {
  testing::TestContext context;
  int number = 0;
  for (const Case& test : Cases()) {
    CheckMax(context, test, OffByOne(context, RandomTensor(context, test.x, 1)), "case " + std::to_string(number++));
  }
}

TEST(Pool2d, SecondStepAllocatesNothing) {
  testing::TestContext context;
  const Tensor x = RandomTensor(context, {3, 8, 8, 7}, 1), g = RandomTensor(context, {3, 4, 4, 7}, 2);
  const auto run = [&] {
    testing::RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return MaxPool2d(c, in[0]); }, {x}, g);
    testing::RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return AveragePool2d(c, in[0]); }, {x}, g);
  };
  run();
  const int64_t allocations = context.pool()->statistics().system_allocations;
  run();
  EXPECT_EQ(context.pool()->statistics().system_allocations, allocations);
}

TEST(Pool2d, EmptyBatch) {
  testing::TestContext context;
  const auto results = testing::RunWithGradients(
      context, [](Context& c, const std::vector<Tensor>& in) { return MaxPool2d(c, in[0]); },
      {Zeros(context, {0, 4, 4, 2})}, Zeros(context, {0, 2, 2, 2}));
  EXPECT_EQ(results[0].shape(), (Shape{0, 2, 2, 2}));
  EXPECT_EQ(results[1].shape(), (Shape{0, 4, 4, 2}));
}

TEST(Pool2d, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {1, 4, 4, 2});
  ExpectInvalid(
      [&] {
        MaxPool2d(context, Zeros(context, {4, 4, 2}));
      },
      {"max_pool2d: expected x of rank 4", "[4, 4, 2]"});
  ExpectInvalid(
      [&] {
        AveragePool2d(context, x, {{5, 2}, {1, 1}, {0, 0}});
      },
      {"average_pool2d: expected height + 2 padding", "5", "4"});
  ExpectInvalid([&] { MaxPool2d(context, x, {{2, 2}, {1, 0}, {0, 0}}); }, {"max_pool2d: expected kernel and stride"});
  ExpectInvalid(
      [&] {
        MaxPool2d(context, x, {{2, 2}, {1, 1}, {2, 0}});
      },
      {"max_pool2d: expected padding less than the kernel 2 x 2, got 2 x 0"});
  ExpectInvalid([&] { MaxPool2d(context, x, {{2, 2}, {1, 1}, {-1, 0}}); }, {"max_pool2d: expected padding", "-1"});
  ExpectInvalid([&] { MaxPool2d(context, Zeros(context, {1, 4, 4, 0})); }, {"at least one channel", "[1, 4, 4, 0]"});
}

}  // namespace
}  // namespace bitgate
