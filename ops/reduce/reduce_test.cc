#include "ops/reduce/reduce.h"

#include "ops/op_testing.h"
#include "ops/reduce/reduce_kernels.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;
using testing::InterestingSizes;
using testing::RandomTensor;
using testing::RandomValues;
using testing::Reference;
using testing::RunWithGradients;

// Sums are in double: only the final rounding is left, half an epsilon of the value, plus far less of the magnitude.
Reference Rounded(Reference sums) {
  for (size_t i = 0; i < sums.value.size(); ++i) {
    sums.magnitude[i] = std::abs(sums.value[i]) + 1e-6 * sums.magnitude[i];
  }
  return sums;
}

TEST(Sum, MatchesDoubleAndSpreadsTheGradient) {
  testing::TestContext context;
  const Tensor g = FromHost<float>(context, {0.7f}, {});
  for (const int64_t size : InterestingSizes()) {
    const Tensor x = RandomTensor(context, {size}, 1);
    Reference sum(1);
    for (const float value : ToHost<float>(context, x)) sum.Add(0, value);
    const auto results = RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return Sum(c, in[0]); }, {x}, g);
    EXPECT_EQ(results[0].shape(), Shape{});
    testing::ExpectClose(context, results[0], Rounded(sum), 0.51, "sum");
    EXPECT_EQ(ToHost<float>(context, results[1]), std::vector<float>(size, 0.7f));
    if (size == 0) continue;
    Reference mean(1);
    mean.Add(0, sum.value[0] / size);
    const auto means = RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return Mean(c, in[0]); }, {x}, g);
    testing::ExpectClose(context, means[0], Rounded(mean), 0.51, "mean");
    EXPECT_EQ(ToHost<float>(context, means[1]), std::vector<float>(size, static_cast<float>(double{0.7f} / size)));
  }
}

TEST(SumRows, MatchesDoubleAndRepeatsTheGradient) {
  testing::TestContext context;
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{
           {0, 3}, {3, 0}, {1, 1}, {5, 15}, {128, 10}, {128, 512}, {700, 17}, {3, 9000}, {33, 9000}}) {
    const Tensor x = RandomTensor(context, {rows, columns}, 1), g = RandomTensor(context, {columns}, 2);
    const auto xv = ToHost<float>(context, x), gv = ToHost<float>(context, g);
    Reference sums(columns);
    for (int64_t i = 0; i < rows * columns; ++i) sums.Add(i % columns, xv[i]);
    const auto results = RunWithGradients(
        context, [](Context& c, const std::vector<Tensor>& in) { return SumRows(c, in[0]); }, {x}, g);
    testing::ExpectClose(context, results[0], Rounded(sums), 0.51, "sum_rows");
    const auto grad = ToHost<float>(context, results[1]);
    for (int64_t i = 0; i < rows * columns; ++i) ASSERT_EQ(grad[i], gv[i % columns]) << rows << " x " << columns;
  }
}

// Blocks of rows, tiles of columns, rows that are no multiple of a vector, more tiles than are summed together.
TEST(SumRows, TallAndWide) {
  testing::TestContext context;
  for (const auto& [rows, columns] : std::vector<std::pair<int64_t, int64_t>>{{5000, 1},
                                                                              {9001, 3},
                                                                              {4099, 4},
                                                                              {20000, 32},
                                                                              {9000, 10},
                                                                              {300, 129},
                                                                              {100, 1028},
                                                                              {200, 257},
                                                                              {3, 300000}}) {
    const Tensor whole = RandomTensor(context, {rows * columns + 1}, 4);
    for (const int64_t offset : {0, 1}) {
      const Tensor x = ReshapeView(SliceView(whole, 0, offset, offset + rows * columns), {rows, columns});
      const auto values = ToHost<float>(context, x);
      Reference sums(columns);
      for (int64_t i = 0; i < rows * columns; ++i) sums.Add(i % columns, values[i]);
      testing::ExpectClose(context, SumRows(context, x), Rounded(sums), 0.51, "sum_rows");
    }
  }
}

TEST(Sum, ManyBlocksOfAnyAlignment) {
  testing::TestContext context;
  for (const int64_t size : {1023, 1025, 4097, 1100001}) {
    const Tensor whole = RandomTensor(context, {size + 1}, 5);
    for (const int64_t offset : {0, 1}) {
      const Tensor x = SliceView(whole, 0, offset, offset + size);
      Reference sum(1);
      for (const float value : ToHost<float>(context, x)) sum.Add(0, value);
      const Tensor y = Sum(context, x);
      testing::ExpectClose(context, y, Rounded(sum), 0.51, "sum");
      EXPECT_EQ(ToHost<float>(context, y), ToHost<float>(context, Sum(context, Clone(context, x)))) << size;
    }
  }
}

TEST(Reduce, SameBitsOnEveryInstructionSetAndThreadCount) {
  Context context;
  const int threads = Threads();
  for (const int64_t columns : {1, 15, 17, 300}) {
    const int64_t rows = 200;
    const auto x = RandomValues(rows * columns, 3);
    const ConstView view{x.data(), {rows, columns}};
    std::vector<uint32_t> first;
    for (const Isa isa : testing::IsasToTest()) {
      for (const int count : {1, 3}) {
        SetThreads(count);
        std::vector<float> y(columns + 1 + rows * columns);
        BG_KERNEL_OF(isa, SumRows)(context.kernel(), View{y.data(), {columns}}, view, rows, columns);
        BG_KERNEL_OF(isa, Sum)(context.kernel(), View{y.data() + columns, {}}, view, rows * columns, 3.0);
        BG_KERNEL_OF(isa, Fill)(context.kernel(), View{y.data() + columns + 1, {}}, view, rows * columns, 3.0);
        if (first.empty()) first = BitsOf(y);
        EXPECT_EQ(BitsOf(y), first) << IsaName(isa) << ", " << count << " threads";
      }
    }
  }
  SetThreads(threads);
}

TEST(Reduce, BadOperands) {
  testing::TestContext context;
  ExpectInvalid([&] { Mean(context, Zeros(context, {0, 2})); }, {"mean: expected at least one element", "[0, 2]"});
  ExpectInvalid([&] { SumRows(context, Zeros(context, {3})); }, {"sum_rows: expected x of rank 2, got shape [3]"});
  ExpectInvalid([&] { Sum(context, Zeros(context, {3}, DType::kInt8)); },
                {"sum: expected x of dtype float32, got int8"});
}

}  // namespace
}  // namespace bitgate
