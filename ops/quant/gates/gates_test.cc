#include "ops/quant/gates/gates.h"

#include <gtest/gtest.h>

#include <cmath>

#include "ops/quant/gates/gates_math.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

TEST(GatesMath, ShiftIsTauTimesLogOfTheStretch) {
  EXPECT_DOUBLE_EQ(HardConcrete<double>::kShift, 2.0 / 3.0 * std::log(0.1 / 1.1));
}

TEST(GatesMath, EvaluationOpensAboveMinus0935) {
  EXPECT_TRUE(IsGateOpen(-0.93f));
  EXPECT_FALSE(IsGateOpen(-0.94f));
  EXPECT_NEAR(OpenProbability(-0.935), 0.66, 1e-3);
}

TEST(GatesMath, DerivativeMatchesFiniteDifferences) {
  const double h = 1e-6;
  for (double phi = -3; phi < 4; phi += 0.37) {
    for (double u : {0.05, 0.3, 0.5, 0.8, 0.97}) {
      const auto sample = SampleGate(phi, u);
      const double slope = (SampleGate(phi + h, u).value - SampleGate(phi - h, u).value) / (2 * h);
      const bool at_kink = (sample.value == 0) != (SampleGate(phi + h, u).value == 0) ||
                           (sample.value == 1) != (SampleGate(phi - h, u).value == 1);
      if (at_kink) continue;
      EXPECT_NEAR(sample.derivative, slope, 1e-6) << phi << " " << u;
    }
    EXPECT_NEAR(StretchedSigmoid(phi).derivative,
                (StretchedSigmoid(phi + h).value - StretchedSigmoid(phi - h).value) / (2 * h), 2e-5);
  }
}

std::shared_ptr<GateLayout> TwoSites() {
  auto layout = std::make_shared<GateLayout>();
  layout->sites.push_back({3, 0, {3, 4, 5, 6}, {0.2, 0.4, 0.8, 1.6, 3.2}});
  layout->sites.push_back({0, 0, {kGateOpen, 7, 7, kGateClosed}, {0.1, 0.2, 0.3, 0.5, 0.7}});
  layout->parameters = 8;
  return layout;
}

TEST(Gates, CascadeStopsAndTiedLevelsAreOneGate) {
  Context context;
  auto layout = TwoSites();
  const Tensor phi = FromHost<float>(context, {6, -6, 0, 6, -2, 6, 6, 0.5f}, {8});
  const Tensor noise = FromHost<float>(context, std::vector<float>(8, 0.4f), {8});
  const auto z = ToHost<float>(context, Gates(context, phi, noise, GateMode::kStochastic, layout));
  ASSERT_EQ(z.size(), 11u);
  EXPECT_EQ(z[0], 1.0f);
  EXPECT_EQ(z[1], 0.0f);
  EXPECT_EQ(z[2], SampleGate(0.0f, 0.4f).value);
  EXPECT_EQ(z[3], 1.0f);
  EXPECT_EQ(z[4], 0.0f) << "phi = -2 is cut";
  EXPECT_EQ(z[5], 0.0f) << "behind the cut";
  EXPECT_EQ(z[7], 1.0f) << "always open";
  EXPECT_EQ(z[8], SampleGate(0.5f, 0.4f).value);
  EXPECT_EQ(z[9], z[8]) << "tied";
  EXPECT_EQ(z[10], 0.0f) << "always closed";
  const auto fixed = ToHost<float>(context, Gates(context, phi, {}, GateMode::kThreshold, layout));
  EXPECT_EQ(fixed, (std::vector<float>{1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0}));
  const auto calm = ToHost<float>(context, Gates(context, phi, {}, GateMode::kDeterministic, layout));
  EXPECT_EQ(calm[2], StretchedSigmoid(0.0f).value);
}

TEST(Gates, GradientAddsTheValuesOfEachPhi) {
  Context context;
  auto layout = TwoSites();
  Tensor phi = FromHost<float>(context, {0.1f, -0.2f, 0.3f, 0.4f, -0.5f, 0.6f, -3, 0.5f}, {8});
  const Tensor noise = FromHost<float>(context, {0.5f, 0.4f, 0.6f, 0.3f, 0.5f, 0.45f, 0.5f, 0.4f}, {8});
  Tape tape;
  tape.Watch(phi);
  Tensor loss = FromHost<float>(context, {0}, {1});
  {
    Recording recording(context, tape);
    const Tensor z = Gates(context, phi, noise, GateMode::kStochastic, layout);
    RecordOp(context, {&z}, loss, [](Context& context, const Tensor&, GradientSink& sink) {
      sink.Set(0, FromHost<float>(context, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, {11}));
    });
  }
  tape.Backward(context, loss);
  const auto grad = ToHost<float>(context, tape.Gradient(phi));
  EXPECT_FLOAT_EQ(grad[0], 1 * SampleGate(0.1f, 0.5f).derivative);
  EXPECT_FLOAT_EQ(grad[4], 5 * SampleGate(-0.5f, 0.5f).derivative);
  EXPECT_EQ(grad[6], 0.0f) << "cut";
  EXPECT_FLOAT_EQ(grad[7], 19 * SampleGate(0.5f, 0.4f).derivative) << "tied levels 9 and 10";
}

// R written out, in double.
double NaivePenalty(const std::vector<double>& phi) {
  const auto q = [&](int i) { return OpenProbability(phi[i]); };
  double first = 0;
  for (int c = 0; c < 3; ++c) {
    first +=
        q(c) * (0.2 + 0.4 * q(3) + 0.8 * q(3) * q(4) + 1.6 * q(3) * q(4) * q(5) + 3.2 * q(3) * q(4) * q(5) * q(6)) / 3;
  }
  return first + 1 + 0.2 + 0.3 * q(7) + 0.5 * q(7);
}

TEST(GatePenalty, ValueAndGradientMatchTheDefinition) {
  Context context;
  const std::vector<double> values = {1.5, -0.7, 0.2, 0.9, -0.4, 0.1, -2.5, 0.3};
  Tensor phi = FromHost<float>(context, std::vector<float>(values.begin(), values.end()), {8});
  Tape tape;
  tape.Watch(phi);
  Tensor penalty;
  {
    Recording recording(context, tape);
    penalty = GatePenalty(context, phi, 0.5, TwoSites());
  }
  EXPECT_NEAR(ToHost<float>(context, penalty)[0], 0.5 * NaivePenalty(values), 1e-6);
  tape.Backward(context, penalty);
  const auto grad = ToHost<float>(context, tape.Gradient(phi));
  for (int i = 0; i < 8; ++i) {
    auto up = values, down = values;
    up[i] += 1e-5, down[i] -= 1e-5;
    EXPECT_NEAR(grad[i], 0.5 * (NaivePenalty(up) - NaivePenalty(down)) / 2e-5, 1e-6) << i;
  }
}

TEST(Gates, RejectsWhatDoesNotFit) {
  Context context;
  EXPECT_THROW(Gates(context, Zeros(context, {7}), {}, GateMode::kThreshold, TwoSites()), Error);
  EXPECT_THROW(Gates(context, Zeros(context, {8}), {}, GateMode::kStochastic, TwoSites()), Error);
  EXPECT_THROW(GatePenalty(context, Zeros(context, {9}), 1, TwoSites()), Error);
}

}  // namespace
}  // namespace bitgate
