#include "runtime/autograd/tape.h"

#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// y = factor * (sum of x), the smallest op with a gradient.
Tensor ScaledSum(Context& context, const Tensor& x, float factor) {
  float sum = 0;
  for (float value : ToHost<float>(context, x)) sum += value;
  Tensor y = FromHost<float>(context, {factor * sum}, {1});
  const Shape shape = x.shape();
  RecordOp(context, {&x}, y, [shape, factor](Context& context, const Tensor& grad, GradientSink& sink) {
    const std::vector<float> values(shape.size(), factor * grad.data<float>()[0]);
    sink.Set(0, FromHost(context, values, shape));
  });
  return y;
}

Tensor Sum(Context& context, const Tensor& a, const Tensor& b) {
  Tensor y = Empty(context, a.shape());
  Add(context, y, a, b);
  RecordOp(context, {&a, &b}, y, [](Context&, const Tensor& grad, GradientSink& sink) {
    sink.Set(0, grad);
    sink.Set(1, grad);
  });
  return y;
}

TEST(Tape, AddsGradientsOfAValueUsedTwice) {
  Context context;
  Tensor x = FromHost<float>(context, {1, 2}, {2});
  Tape tape;
  tape.Watch(x);
  Tensor loss;
  {
    Recording recording(context, tape);
    loss = Sum(context, ScaledSum(context, x, 3), ScaledSum(context, Sum(context, x, x), 5));
  }
  tape.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), (std::vector<float>{13, 13}));
}

// Sum hands one tensor to both inputs; adding into it in place would corrupt the other's gradient.
TEST(Tape, SharedGradientsAreNotAddedInto) {
  Context context;
  Tensor x = FromHost<float>(context, {1}, {1}), z = FromHost<float>(context, {1}, {1});
  Tape tape;
  tape.Watch(x);
  tape.Watch(z);
  Tensor loss;
  {
    Recording recording(context, tape);
    const Tensor first = ScaledSum(context, x, 1);
    loss = Sum(context, Sum(context, first, z), first);
  }
  tape.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(x))[0], 2);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(z))[0], 1);
}

TEST(Tape, SlicesShareOneBuffer) {
  Context context;
  Tensor x = FromHost<float>(context, {1, 2, 3}, {3});
  Tape tape;
  tape.Watch(x);
  Tensor loss = FromHost<float>(context, {0}, {1});
  {
    Recording recording(context, tape);
    RecordOp(context, {&x}, loss, [](Context& context, const Tensor&, GradientSink& sink) {
      sink.AddSlice(0, {3}, 1, FromHost<float>(context, {7, 8}, {2}));
      sink.AddSlice(0, {3}, 2, FromHost<float>(context, {1}, {1}));
    });
  }
  tape.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), (std::vector<float>{0, 7, 9}));
}

TEST(Tape, RecordsNothingOutsideARecordingOrOffTheTape) {
  Context context;
  Tensor x = FromHost<float>(context, {1}, {1});
  Tape tape;
  tape.Watch(x);
  const Tensor outside = ScaledSum(context, x, 2);
  EXPECT_EQ(outside.gradient_id(), Tensor::kNoGradient);
  Recording recording(context, tape);
  EXPECT_EQ(ScaledSum(context, x.Detached(), 2).gradient_id(), Tensor::kNoGradient);
  EXPECT_THROW(tape.Backward(context, outside), Error);
}

TEST(Tape, LossThatIgnoresALeafLeavesItsGradientUndefined) {
  Context context;
  Tensor x = FromHost<float>(context, {1}, {1}), unused = FromHost<float>(context, {1}, {1});
  Tape tape;
  tape.Watch(x);
  tape.Watch(unused);
  Tensor loss;
  {
    Recording recording(context, tape);
    loss = ScaledSum(context, x, 2);
  }
  tape.Backward(context, loss);
  EXPECT_FALSE(tape.Gradient(unused).defined());
  EXPECT_THROW(tape.Gradient(loss), Error);
}

// Ids of another tape, or from before Clear, must not be taken for slots of this one.
TEST(Tape, ValuesOfAnotherRecordingAreConstants) {
  Context context;
  Tensor x = FromHost<float>(context, {1}, {1}), y = FromHost<float>(context, {1}, {1});
  Tape first, second;
  first.Watch(x);
  second.Watch(y);
  Tensor loss;
  {
    Recording recording(context, second);
    EXPECT_EQ(ScaledSum(context, x, 2).gradient_id(), Tensor::kNoGradient);
    loss = Sum(context, ScaledSum(context, x, 2), ScaledSum(context, y, 3));
  }
  second.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, second.Gradient(y))[0], 3);
  EXPECT_THROW(second.Gradient(x), Error);
  second.Clear();
  EXPECT_THROW(second.Gradient(y), Error);
  EXPECT_THROW(second.Backward(context, loss), Error);
}

}  // namespace
}  // namespace bitgate
