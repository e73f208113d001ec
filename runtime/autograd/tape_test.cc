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

Tensor Part(Context& context, const Tensor& x, int64_t begin, int64_t end) {
  Tensor part = SliceView(x, 0, begin, end);
  RecordSlice(context, x, part, begin);
  return part;
}

// ScaledSum that writes its gradient where the tape wants it.
Tensor InPlaceSum(Context& context, const Tensor& x, float factor) {
  Tensor y = FromHost<float>(context, {0}, {1});
  RecordOp(context, {&x}, y, [shape = x.shape(), factor](Context& context, const Tensor& grad, GradientSink& sink) {
    const std::vector<float> values(shape.size(), factor * grad.data<float>()[0]);
    const Tensor target = sink.Target(0, shape);
    CopyInto(context, target, FromHost(context, values, shape));
    sink.Set(0, target);
  });
  return y;
}

TEST(Tape, TellsOpsWhoseOutputIsTheLossThatTheirGradientIsOne) {
  Context context;
  Tensor x = FromHost<float>(context, {1}, {1});
  Tape tape;
  tape.Watch(x);
  for (int run = 0; run < 2; ++run) {
    std::vector<bool> seen;
    const auto observed = [&](const Tensor& in) {
      Tensor y = Clone(context, in);
      RecordOp(context, {&in}, y, [&seen](Context&, const Tensor& gradient, GradientSink& sink) {
        seen.push_back(sink.unit());
        sink.Set(0, gradient);
      });
      return y;
    };
    Tensor loss;
    {
      Recording recording(context, tape);
      const Tensor inner = observed(x);
      loss = Sum(context, observed(ScaledSum(context, inner, 3)), observed(inner));
    }
    tape.Backward(context, loss);
    // Both terms of the sum; the value in front of them gets 1 + 3.
    EXPECT_EQ(seen, (std::vector<bool>{true, true, false}));
    EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), std::vector<float>{4});
  }
}

TEST(Tape, SlicesShareOneBuffer) {
  Context context;
  Tensor x = FromHost<float>(context, {1, 2, 3, 4, 5}, {5});
  using Use = Tensor (*)(Context&, const Tensor&, float);
  // Whether gradients are written in place or added, and in which order they come, shall not matter.
  for (const Use first : {ScaledSum, InPlaceSum}) {
    for (const Use second : {ScaledSum, InPlaceSum}) {
      Tape tape;
      tape.Watch(x);
      Tensor loss;
      {
        Recording recording(context, tape);
        const Tensor a = Part(context, x, 0, 2), b = Part(context, x, 2, 4), c = Part(context, x, 1, 3);
        loss = Sum(context, first(context, a, 1), second(context, b, 10));
        loss = Sum(context, loss, Sum(context, first(context, c, 100), second(context, a, 1000)));
      }
      tape.Backward(context, loss);
      EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), (std::vector<float>{1001, 1101, 110, 10, 0}));
      {
        Recording recording(context, tape);
        const Tensor part = Part(context, x, 3, 5);
        loss = Sum(context, first(context, part, 1), second(context, x, 10));
      }
      tape.Backward(context, loss);
      EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), (std::vector<float>{10, 10, 10, 11, 11}));
    }
  }
}

TEST(Tape, ASliceOfASliceReachesTheWhole) {
  Context context;
  Tensor x = FromHost<float>(context, {1, 2, 3, 4, 5}, {5});
  Tape tape;
  tape.Watch(x);
  Tensor loss;
  {
    Recording recording(context, tape);
    const Tensor part = Part(context, x, 1, 4);
    loss = Sum(context, InPlaceSum(context, Part(context, part, 1, 2), 3), InPlaceSum(context, part, 5));
  }
  tape.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(x)), (std::vector<float>{0, 5, 8, 5, 0}));
}

TEST(Tape, SlicesWrittenInPlaceTakeNoCopies) {
  Context context;
  Tensor x = FromHost<float>(context, {1, 2, 3, 4}, {4});
  Tape tape;
  tape.Watch(x);
  Tensor loss;
  const float* written[2] = {};
  {
    Recording recording(context, tape);
    Tensor y[2];
    for (int i = 0; i < 2; ++i) {
      const Tensor part = Part(context, x, 2 * i, 2 * i + 2);
      y[i] = FromHost<float>(context, {0}, {1});
      RecordOp(context, {&part}, y[i], [&written, i](Context& context, const Tensor&, GradientSink& sink) {
        const Tensor target = sink.Target(0, {2});
        written[i] = target.data<float>();
        CopyInto(context, target, FromHost<float>(context, {1, 1}, {2}));
        sink.Set(0, target);
      });
    }
    loss = Sum(context, y[0], y[1]);
  }
  tape.Backward(context, loss);
  const float* gradient = tape.Gradient(x).data<float>();
  EXPECT_EQ(written[0], gradient);
  EXPECT_EQ(written[1], gradient + 2);
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
