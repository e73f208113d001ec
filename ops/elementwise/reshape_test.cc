#include "ops/elementwise/reshape.h"

#include "ops/elementwise/elementwise.h"
#include "ops/op_testing.h"
#include "ops/reduce/reduce.h"
#include "runtime/autograd/tape.h"

namespace bitgate {
namespace {

using testing::ExpectInvalid;
using testing::RandomTensor;

TEST(Reshape, ViewsShareStorage) {
  testing::TestContext context;
  const Tensor x = RandomTensor(context, {2, 3, 4}, 1);
  EXPECT_EQ(Reshape(context, x, {4, 6}).raw_data(), x.raw_data());
  const Tensor flat = Flatten(context, x);
  EXPECT_EQ(flat.shape(), (Shape{2, 12}));
  EXPECT_EQ(flat.raw_data(), x.raw_data());
  EXPECT_EQ(Flatten(context, Zeros(context, {0, 3, 4})).shape(), (Shape{0, 12}));
  EXPECT_EQ(Flatten(context, Zeros(context, {5})).shape(), (Shape{5, 1}));
  const Tensor slice = Slice(context, Reshape(context, x, {24}), 5, 9);
  EXPECT_EQ(slice.shape(), (Shape{4}));
  EXPECT_EQ(slice.data<float>(), x.data<float>() + 5);
}

TEST(Reshape, GradientComesBackInTheInputsShape) {
  testing::TestContext context;
  const Tensor x = RandomTensor(context, {2, 3, 4}, 1), g = RandomTensor(context, {2, 12}, 2);
  const auto results = testing::RunWithGradients(
      context, [](Context& c, const std::vector<Tensor>& in) { return Flatten(c, in[0]); }, {x}, g);
  EXPECT_EQ(results[1].shape(), x.shape());
  EXPECT_EQ(ToHost<float>(context, results[1]), ToHost<float>(context, g));
}

TEST(Slice, OverlappingSlicesAddUp) {
  testing::TestContext context;
  Tensor x = FromHost<float>(context, {1, 2, 3, 4, 5}, {5});
  Tape tape;
  tape.Watch(x);
  Tensor loss;
  {
    Recording recording(context, tape);
    const Tensor left = Scale(context, Sum(context, Slice(context, x, 0, 3)), 2.0f);
    const Tensor right = Sum(context, Slice(context, x, 2, 4));
    loss = Add(context, Add(context, left, right), Sum(context, Slice(context, x, 5, 5)));
  }
  EXPECT_EQ(ToHost<float>(context, loss)[0], 2 * 6 + 7);
  tape.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), (std::vector<float>{2, 2, 3, 1, 0}));
}

TEST(Reshape, BadOperands) {
  testing::TestContext context;
  const Tensor x = Zeros(context, {2, 3});
  ExpectInvalid([&] { Reshape(context, x, {4}); }, {"reshape: expected 6 elements", "got [4]"});
  ExpectInvalid([&] { Flatten(context, Zeros(context, {})); }, {"flatten: expected x of rank 1 or more"});
  ExpectInvalid([&] { Slice(context, x, 0, 1); }, {"slice: expected x of rank 1, got shape [2, 3]"});
  ExpectInvalid([&] { Slice(context, Zeros(context, {3}), 2, 4); }, {"slice: expected", "<= 3", "[2, 4)"});
  ExpectInvalid([&] { Reshape(context, Tensor(), {1}); }, {"reshape: expected x to be defined"});
}

}  // namespace
}  // namespace bitgate
