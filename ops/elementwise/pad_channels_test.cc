#include "ops/elementwise/pad_channels.h"

#include "ops/op_testing.h"

namespace bitgate {
namespace {

using testing::ExpectInvalid;
using testing::RandomTensor;

struct Case {
  Shape from;
  int64_t channels;
};

Tensor OfCase(Context& context, const Tensor& x, const Tensor& weights, const Case& test, Tensor* grad_x) {
  const auto results = testing::RunWithGradients(
      context, [&](Context& c, const std::vector<Tensor>& in) { return PadChannels(c, in[0], test.channels); }, {x},
      weights);
  *grad_x = results[1];
  return results[0];
}

// Every element is a copy or 0, so it is compared exactly.
TEST(PadChannels, ForwardAndGradients) {
  testing::TestContext context;
  for (const Case& test : std::vector<Case>{{{3}, 3},
                                            {{3}, 4},
                                            {{5}, 12},
                                            {{0, 3}, 5},
                                            {{4, 0}, 3},
                                            {{2, 0}, 0},
                                            {{2, 4, 4, 16}, 32},
                                            {{2, 5, 3, 7}, 18},
                                            {{700, 16}, 300},
                                            {{2, 5003}, 5004},
                                            {{9000, 3}, 6}}) {
    const int rank = test.from.rank();
    const int64_t channels = test.from[rank - 1];
    int64_t rows = 1;
    for (int axis = 0; axis + 1 < rank; ++axis) rows *= test.from[axis];
    const Tensor x = RandomTensor(context, test.from, 1);
    std::vector<int64_t> to(test.from.begin(), test.from.end());
    to.back() = test.channels;
    const Tensor weights = RandomTensor(context, Shape(to), 2);
    Tensor grad_x;
    const Tensor y = OfCase(context, x, weights, test, &grad_x);
    ASSERT_EQ(y.shape(), Shape(to));
    ASSERT_EQ(grad_x.shape(), test.from);
    const auto from = ToHost<float>(context, x), g = ToHost<float>(context, weights);
    std::vector<float> expected(rows * test.channels, 0.0f), expected_grad(from.size());
    const int64_t before = (test.channels - channels) / 2;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < channels; ++c) {
        expected[r * test.channels + before + c] = from[r * channels + c];
        expected_grad[r * channels + c] = g[r * test.channels + before + c];
      }
    }
    EXPECT_EQ(ToHost<float>(context, y), expected) << test.from << " to " << test.channels;
    EXPECT_EQ(ToHost<float>(context, grad_x), expected_grad) << test.from << " to " << test.channels;
  }
}

TEST(PadChannels, OneMoreGoesBehind) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {1, 2, 3, 4}, {2, 2});
  EXPECT_EQ(ToHost<float>(context, PadChannels(context, x, 5)), (std::vector<float>{0, 1, 2, 0, 0, 0, 3, 4, 0, 0}));
}

TEST(PadChannels, CanBeCaptured) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "a device that captures nothing";
  const Tensor x = RandomTensor(context, {700, 16}, 1);
  Tensor y;
  const auto step = [&] { y = PadChannels(context, x, 32); };
  step();
  const auto expected = ToHost<float>(context, y);
  y = Tensor();
  const auto captured = context.backend().Capture(step);
  captured->Replay();
  EXPECT_EQ(ToHost<float>(context, y), expected);
}

TEST(PadChannels, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3}), integers = Zeros(context, {2, 3}, DType::kInt32);
  ExpectInvalid([&] { PadChannels(context, x, 2); }, {"pad_channels: expected at least the channels of x [2, 3]", "2"});
  ExpectInvalid([&] { PadChannels(context, x, INT64_MIN); }, {"pad_channels: expected at least the channels of x"});
  ExpectInvalid([&] { PadChannels(context, x, INT64_MAX); }, {"elements"});
  ExpectInvalid([&] { PadChannels(context, Zeros(context, {}), 2); }, {"pad_channels: expected x of shape [..., c]"});
  ExpectInvalid([&] { PadChannels(context, integers, 4); }, {"pad_channels: expected x of dtype float32, got int32"});
  ExpectInvalid([&] { PadChannels(context, Tensor(), 4); }, {"pad_channels: expected x to be defined"});
}

}  // namespace
}  // namespace bitgate
