#include "api/common/autograd.h"

#include "gtest/gtest.h"
#include "ops/elementwise/elementwise.h"
#include "ops/reduce/reduce.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate::api {
namespace {

class SessionTest : public ::testing::Test {
 protected:
  VariablePtr Leaf(const std::vector<float>& values) {
    auto variable = std::make_shared<Variable>();
    variable->value = FromHost(session.context(), values, {static_cast<int64_t>(values.size())});
    variable->requires_grad = true;
    return variable;
  }
  VariablePtr Product(const VariablePtr& a, const VariablePtr& b) {
    return session.Record([&] { return Mul(session.context(), session.Operand(a), session.Operand(b)); });
  }
  VariablePtr Total(const VariablePtr& x) {
    return session.Record([&] { return Sum(session.context(), session.Operand(x)); });
  }
  std::vector<float> Values(const Tensor& tensor) { return ToHost<float>(session.context(), tensor); }

  Session session{Device{}};
};

TEST_F(SessionTest, GradientsReachLeavesAndAddUp) {
  const VariablePtr a = Leaf({1, 2}), b = Leaf({3, 5});
  session.Backward(*Total(Product(a, b)));
  EXPECT_EQ(Values(a->gradient), (std::vector<float>{3, 5}));
  EXPECT_EQ(Values(b->gradient), (std::vector<float>{1, 2}));
  const Tensor first = a->gradient;
  session.Backward(*Total(Product(a, a)));
  EXPECT_EQ(Values(a->gradient), (std::vector<float>{5, 9}));
  EXPECT_EQ(Values(first), (std::vector<float>{3, 5}));  // what was handed out does not change
}

TEST_F(SessionTest, LeavesDoNotShareAGradientsStorage) {
  const VariablePtr a = Leaf({1, 2}), b = Leaf({3, 5});
  session.Backward(
      *Total(session.Record([&] { return Add(session.context(), session.Operand(a), session.Operand(b)); })));
  EXPECT_NE(a->gradient.raw_data(), b->gradient.raw_data());
}

TEST_F(SessionTest, WhatNobodyHoldsIsForgotten) {
  const VariablePtr a = Leaf({1, 2});
  const size_t before = static_cast<size_t>(session.context().pool()->statistics().in_use_bytes);
  for (int i = 0; i < 100; ++i) Total(Product(a, a));
  Total(a);
  // One round's results may wait for the next op; a hundred may not.
  EXPECT_LE(static_cast<size_t>(session.context().pool()->statistics().in_use_bytes), before + 4 * 64);
}

TEST_F(SessionTest, WithoutRecordingThereIsNothingToWalkBack) {
  const VariablePtr a = Leaf({1, 2});
  session.set_recording(false);
  const VariablePtr constant = Total(a);
  session.set_recording(true);
  EXPECT_THROW(session.Backward(*constant), Error);
  const VariablePtr old = Total(a);
  session.Backward(*Total(Product(a, a)));
  EXPECT_THROW(session.Backward(*old), Error);  // from before the last backward
}

TEST_F(SessionTest, AFailedBackwardChangesNoGradientAndCannotBeTriedAgain) {
  const VariablePtr a = Leaf({1, 2}), b = Leaf({3, 5});
  const VariablePtr broken = session.Record([&] {
    const Tensor x = session.Operand(a);
    Tensor y = Clone(session.context(), x);
    RecordOp(session.context(), {&x}, y,
             [](Context&, const Tensor&, GradientSink&) { throw ResourceExhausted("no memory"); });
    return y;
  });
  const VariablePtr loss = Total(Product(broken, b));
  EXPECT_THROW(session.Backward(*loss), Error);
  EXPECT_FALSE(a->gradient.defined());
  EXPECT_FALSE(b->gradient.defined());
  EXPECT_THROW(session.Backward(*loss), Error);
  session.Backward(*Total(Product(a, b)));
  EXPECT_EQ(Values(a->gradient), (std::vector<float>{3, 5}));
}

TEST_F(SessionTest, ALossOfManyElementsLeavesTheRecord) {
  const VariablePtr a = Leaf({1, 2});
  const VariablePtr many = Product(a, a);
  EXPECT_THROW(session.Backward(*many), Error);
  session.Backward(*Total(many));
  EXPECT_EQ(Values(a->gradient), (std::vector<float>{2, 4}));
}

}  // namespace
}  // namespace bitgate::api
