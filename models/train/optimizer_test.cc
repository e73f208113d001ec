#include "models/train/optimizer.h"

#include <cmath>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/base/error.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/host_tensor.h"

namespace bitgate {
namespace {

using ::testing::HasSubstr;

// One parameter in each group, the gates' in two parts, and a loss with the gradients 1, 2, 3, ... in each.
class OptimizersTest : public ::testing::Test {
 protected:
  OptimizersTest() {
    Add("fc/weight", {2, 2}, ParameterGroup::kWeights);
    Add("gates", {3}, ParameterGroup::kGates);
    parameters_.back().declaration.parts = {{"a/gates", 0, {1}}, {"b/gates", 1, {2}}};
    Add("range", {1}, ParameterGroup::kRanges);
    parameters_.back().declaration.low = 0.5f;
    for (Parameter& parameter : parameters_) list_.push_back(&parameter);
    options_[0].optimizer = OptimizerKind::kSgd;
  }

  void Add(const std::string& name, const Shape& shape, ParameterGroup group) {
    parameters_.reserve(3);  // addresses stay
    Parameter parameter;
    parameter.declaration.name = name;
    parameter.declaration.shape = shape;
    parameter.declaration.group = group;
    parameter.value = FromHost(context_, std::vector<float>(shape.size(), 1.0f), shape);
    parameters_.push_back(std::move(parameter));
  }

  void Step(Optimizers& optimizers, int64_t step, double rate, bool with_range = true) {
    Tape tape;
    for (Parameter& parameter : parameters_) tape.Watch(parameter.value);
    Tensor loss = Zeros(context_, {});
    {
      const Recording recording(context_, tape);
      RecordOp(context_, {&parameters_[0].value, &parameters_[1].value, &parameters_[2].value}, loss,
               [&](Context& context, const Tensor&, GradientSink& sink) {
                 for (int i = 0; i < (with_range ? 3 : 2); ++i) {
                   std::vector<float> gradient(parameters_[i].value.size());
                   for (size_t k = 0; k < gradient.size(); ++k) gradient[k] = static_cast<float>(k + 1);
                   sink.Set(i, FromHost(context, gradient, parameters_[i].value.shape()));
                 }
               });
    }
    tape.Backward(context_, loss);
    const auto scalars = optimizers.Scalars(step, {rate, rate, rate});
    const Shape shape = {kParameterGroups, kStepScalars};
    optimizers.Step(tape, FromHostBytes(context_, scalars.data(), shape, DType::kFloat32), {});
  }

  std::vector<float> Value(int i) { return ToHost<float>(context_, parameters_[i].value); }

  std::string LoadFailure(const std::map<std::string, Tensor>& tensors) {
    try {
      Optimizers(context_, list_, options_).Load(tensors);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kFailedPrecondition);
      return error.what();
    }
    return "nothing thrown";
  }

  testing::TestContext context_;
  std::vector<Parameter> parameters_;
  std::vector<Parameter*> list_;
  GroupsOptions options_;
};

TEST_F(OptimizersTest, EachGroupHasItsAlgorithm) {
  Optimizers optimizers(context_, list_, options_);
  Step(optimizers, 1, 0.125);
  EXPECT_EQ(Value(0), (std::vector<float>{0.875f, 0.75f, 0.625f, 0.5f}));  // plain SGD
  for (const float value : Value(1)) EXPECT_NEAR(value, 0.875f, 1e-6f);    // the first step of Adam has length 1
}

TEST_F(OptimizersTest, ValuesStayInTheirBounds) {
  Optimizers optimizers(context_, list_, options_);
  Step(optimizers, 1, 10);
  EXPECT_EQ(Value(2)[0], 0.5f);
}

TEST_F(OptimizersTest, WhatHasNoGradientStays) {
  Optimizers optimizers(context_, list_, options_);
  Step(optimizers, 1, 0.1, /*with_range=*/false);
  EXPECT_EQ(Value(2)[0], 1.0f);
  EXPECT_NE(Value(1)[0], 1.0f);
}

TEST_F(OptimizersTest, StateIsNamedByPartsAndLoadsBack) {
  options_[0].momentum = 0.9;
  Optimizers optimizers(context_, list_, options_);
  Step(optimizers, 1, 0.1);
  const std::map<std::string, Tensor> state = optimizers.StateTensors();
  std::vector<std::string> names;
  for (const auto& [name, tensor] : state) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"optimizer/a/gates/first_moment", "optimizer/a/gates/second_moment",
                                             "optimizer/b/gates/first_moment", "optimizer/b/gates/second_moment",
                                             "optimizer/fc/weight/first_moment", "optimizer/range/first_moment",
                                             "optimizer/range/second_moment"}));
  EXPECT_EQ(state.at("optimizer/b/gates/first_moment").shape(), Shape({2}));
  for (const std::string& name : names) EXPECT_TRUE(Optimizers::IsStateName(name));
  EXPECT_FALSE(Optimizers::IsStateName("optimizer/weight"));
  EXPECT_FALSE(Optimizers::IsStateName("fc/first_moment"));

  // A second step from the loaded state is the second step.
  std::vector<std::vector<float>> before = {Value(0), Value(1), Value(2)};
  Step(optimizers, 2, 0.1);
  const std::vector<std::vector<float>> expected = {Value(0), Value(1), Value(2)};
  for (int i = 0; i < 3; ++i) {
    CopyInto(context_, parameters_[i].value, FromHost(context_, before[i], parameters_[i].value.shape()));
  }
  Optimizers loaded(context_, list_, options_);
  loaded.Load(state);
  Step(loaded, 2, 0.1);
  EXPECT_EQ((std::vector<std::vector<float>>{Value(0), Value(1), Value(2)}), expected);
}

TEST_F(OptimizersTest, LoadNamesWhatDoesNotFit) {
  std::map<std::string, Tensor> state = Optimizers(context_, list_, options_).StateTensors();
  EXPECT_EQ(LoadFailure({}), "optimizers: expected the tensor optimizer/a/gates/first_moment, got none");
  std::map<std::string, Tensor> other = state;
  other["optimizer/b/gates/second_moment"] = HostTensor({1, 2, 3}, {3});
  EXPECT_EQ(LoadFailure(other), "optimizers: optimizer/b/gates/second_moment: expected shape [2], got [3]");
  other = state;
  other["optimizer/fc/weight/first_moment"] = HostTensor({1}, {1});
  EXPECT_THAT(LoadFailure(other), HasSubstr("expected no tensor optimizer/fc/weight/first_moment"));
}

}  // namespace
}  // namespace bitgate
