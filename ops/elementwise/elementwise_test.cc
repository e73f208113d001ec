#include "ops/elementwise/elementwise.h"

#include <algorithm>

#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;
using testing::InterestingSizes;
using testing::RandomTensor;
using testing::RunWithGradients;

// Every result is one correctly rounded operation, so it is compared with that exactly.
TEST(Elementwise, ForwardAndGradients) {
  testing::TestContext context;
  for (const int64_t size : InterestingSizes()) {
    const Tensor a = RandomTensor(context, {size}, 1), b = RandomTensor(context, {size}, 2);
    const Tensor g = RandomTensor(context, {size}, 3);
    const auto av = ToHost<float>(context, a), bv = ToHost<float>(context, b), gv = ToHost<float>(context, g);
    using Inputs = std::vector<Tensor>;
    const auto relu = RunWithGradients(
        context, [](Context& c, const Inputs& in) { return Relu(c, in[0]); }, {a}, g);
    const auto add = RunWithGradients(
        context, [](Context& c, const Inputs& in) { return Add(c, in[0], in[1]); }, {a, b}, g);
    const auto mul = RunWithGradients(
        context, [](Context& c, const Inputs& in) { return Mul(c, in[0], in[1]); }, {a, b}, g);
    const auto scale = RunWithGradients(
        context, [](Context& c, const Inputs& in) { return Scale(c, in[0], -0.3f); }, {a}, g);
    std::vector<std::vector<float>> actual, expected(11, std::vector<float>(size));
    for (const auto* group : {&relu, &add, &mul, &scale}) {
      for (const Tensor& t : *group) actual.push_back(ToHost<float>(context, t));
    }
    for (int64_t i = 0; i < size; ++i) {
      const float row[] = {std::max(av[i], 0.0f),
                           av[i] > 0 ? gv[i] : 0.0f,
                           av[i] + bv[i],
                           gv[i],
                           gv[i],
                           av[i] * bv[i],
                           bv[i] * gv[i],
                           av[i] * gv[i],
                           -0.3f * av[i],
                           -0.3f * gv[i],
                           0};
      for (int k = 0; k < 11; ++k) expected[k][i] = row[k];
    }
    expected.pop_back();
    ASSERT_EQ(actual, expected) << "size " << size;
  }
}

// The same element for element whether operands are aligned to vectors or not, and around what a thread block does.
TEST(Elementwise, AnyAlignment) {
  testing::TestContext context;
  for (const int64_t size : {1, 5, 1023, 1025, 4096, 4099, 20001}) {
    const Tensor a = RandomTensor(context, {size + 3}, 6), b = RandomTensor(context, {size + 3}, 7);
    for (const int64_t offset : {0, 1, 3}) {
      const Tensor av = SliceView(a, 0, offset, offset + size), bv = SliceView(b, 0, 3 - offset, 3 - offset + size);
      const auto ah = ToHost<float>(context, av), bh = ToHost<float>(context, bv);
      std::vector<float> relu(size), product(size), scaled(size);
      for (int64_t i = 0; i < size; ++i) {
        relu[i] = std::max(ah[i], 0.0f), product[i] = ah[i] * bh[i], scaled[i] = 1.7f * bh[i];
      }
      ASSERT_EQ(ToHost<float>(context, Relu(context, av)), relu) << size << " from " << offset;
      ASSERT_EQ(ToHost<float>(context, Mul(context, av, bv)), product) << size << " from " << offset;
      ASSERT_EQ(ToHost<float>(context, Scale(context, bv, 1.7f)), scaled) << size << " from " << offset;
    }
  }
}

TEST(Elementwise, ReluAtZeroAndNaN) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {0.0f, -0.0f, NAN, 1.0f}, {4});
  const Tensor g = FromHost<float>(context, {5, 5, 5, 5}, {4});
  const auto results = RunWithGradients(
      context, [](Context& c, const std::vector<Tensor>& in) { return Relu(c, in[0]); }, {x}, g);
  const auto y = ToHost<float>(context, results[0]);
  EXPECT_TRUE(std::isnan(y[2]));
  EXPECT_EQ(ToHost<float>(context, results[1]), (std::vector<float>{0, 0, 0, 5}));
}

TEST(Elementwise, SameTensorTwiceAddsGradients) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {2, 3}, {2}), g = FromHost<float>(context, {1, 1}, {2});
  const auto results = RunWithGradients(
      context, [](Context& c, const std::vector<Tensor>& in) { return Mul(c, in[0], in[0]); }, {x}, g);
  EXPECT_EQ(ToHost<float>(context, results[1]), (std::vector<float>{4, 6}));
}

// Kernels are called with arrays that start one float off any alignment, with guards on both sides of the output.
TEST(Elementwise, SameBitsOnEveryInstructionSet) {
  Context context;
  for (const int64_t size : InterestingSizes()) {
    const auto a = testing::RandomValues(size + 1, 4), b = testing::RandomValues(size + 1, 5);
    std::vector<std::vector<uint32_t>> first;
    for (const Isa isa : testing::IsasToTest()) {
      std::vector<std::vector<uint32_t>> bits;
      const auto run = [&](auto kernel, auto... operands) {
        std::vector<float> y(size + 2, 7.0f);
        kernel(context.kernel(), View{y.data() + 1, {size}}, operands..., size);
        EXPECT_EQ(y.front(), 7.0f);
        EXPECT_EQ(y.back(), 7.0f);
        bits.push_back(BitsOf(y));
      };
      const ConstView av{a.data() + 1, {size}}, bv{b.data() + 1, {size}};
      run(BG_KERNEL_OF(isa, Relu), av);
      run(BG_KERNEL_OF(isa, ReluBackward), av, bv);
      run(BG_KERNEL_OF(isa, Mul), av, bv);
      run(BG_KERNEL_OF(isa, Scale), av, 0.7f);
      if (first.empty()) first = bits;
      EXPECT_EQ(bits, first) << IsaName(isa) << " size " << size;
    }
  }
}

TEST(Elementwise, FormulasHoldInDouble) {
  EXPECT_EQ(ReluValue(-2.0, 0.0), 0.0);
  EXPECT_EQ(ReluValue(2.0, 0.0), 2.0);
  EXPECT_EQ(ReluSlopeTimes(0.0, 3.0, 0.0), 0.0);
  EXPECT_EQ(Product(3.0, 0.5), 1.5);
}

TEST(Elementwise, BadOperands) {
  testing::TestContext context;
  const Tensor a = Zeros(context, {2, 3}), b = Zeros(context, {3, 2}), i = Zeros(context, {2, 3}, DType::kInt32);
  ExpectInvalid([&] { Add(context, a, b); }, {"add: expected b of shape [2, 3], got [3, 2]"});
  ExpectInvalid([&] { Mul(context, a, i); }, {"mul: expected b of dtype float32, got int32"});
  ExpectInvalid([&] { Relu(context, Tensor()); }, {"relu: expected x to be defined, got an undefined tensor"});
  ExpectInvalid(
      [&] {
        Scale(context, PermuteView(a, {1, 0}), 2);
      },
      {"scale: expected x to be contiguous, got a strided view of shape [3, 2]"});
}

}  // namespace
}  // namespace bitgate
