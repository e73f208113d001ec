#include "ops/quant/gates/gates.h"

#include <cmath>
#include <limits>

#include "ops/op_testing.h"
#include "ops/quant/gates/gate_table.h"
#include "ops/quant/gates/gates_math.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

using testing::kEpsilon;
using testing::RandomTensor;

// Where the formula's exponentials and logarithms are the device's: each is within 2 units in the last place, and for
// logits of moderate size a gate's value feels a few of them.
double GateSlack(const Context& context) { return context.device().type == DeviceType::kCpu ? 0.0 : 8 * kEpsilon; }

TEST(GatesMath, ShiftIsTauTimesLogOfTheStretch) {
  EXPECT_DOUBLE_EQ(HardConcrete<double>::kShift, 2.0 / 3.0 * std::log(0.1 / 1.1));
}

TEST(GatesMath, EvaluationOpensAboveMinus0935) {
  EXPECT_TRUE(IsGateOpen(-0.93f));
  EXPECT_FALSE(IsGateOpen(-0.94f));
  EXPECT_NEAR(OpenProbability(-0.935), 0.66, 1e-3);
}

TEST(GatesMath, EvaluationDecidesAsTheProbabilityDoes) {
  using H = HardConcrete<float>;
  float phi = -0.9354f;
  for (; phi < -0.9352f; phi = std::nextafter(phi, 0.0f)) {
    ASSERT_EQ(IsGateOpen(phi), Sigmoid(H::kShift - phi) < H::kThreshold) << phi;
  }
  EXPECT_FALSE(IsGateOpen(std::numeric_limits<float>::quiet_NaN()));
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
  testing::TestContext context;
  auto layout = TwoSites();
  const Tensor phi = FromHost<float>(context, {6, -6, 0, 6, -2, 6, 6, 0.5f}, {8});
  const Tensor noise = FromHost<float>(context, std::vector<float>(8, 0.4f), {8});
  const auto z = ToHost<float>(context, Gates(context, phi, noise, GateMode::kStochastic, layout));
  ASSERT_EQ(z.size(), 11u);
  EXPECT_EQ(z[0], 1.0f);
  EXPECT_EQ(z[1], 0.0f);
  EXPECT_NEAR(z[2], SampleGate(0.0f, 0.4f).value, GateSlack(context));
  EXPECT_EQ(z[3], 1.0f);
  EXPECT_EQ(z[4], 0.0f) << "phi = -2 is cut";
  EXPECT_EQ(z[5], 0.0f) << "behind the cut";
  EXPECT_EQ(z[7], 1.0f) << "always open";
  EXPECT_NEAR(z[8], SampleGate(0.5f, 0.4f).value, GateSlack(context));
  EXPECT_EQ(z[9], z[8]) << "tied";
  EXPECT_EQ(z[10], 0.0f) << "always closed";
  const auto fixed = ToHost<float>(context, Gates(context, phi, {}, GateMode::kThreshold, layout));
  EXPECT_EQ(fixed, (std::vector<float>{1, 0, 1, 1, 0, 0, 0, 1, 1, 1, 0}));
  const auto calm = ToHost<float>(context, Gates(context, phi, {}, GateMode::kDeterministic, layout));
  EXPECT_NEAR(calm[2], StretchedSigmoid(0.0f).value, GateSlack(context));
}

TEST(Gates, GradientAddsTheValuesOfEachPhi) {
  testing::TestContext context;
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
  const auto expect = [&](int phi, double gradient) {
    EXPECT_NEAR(grad[phi], gradient, 2 * kEpsilon * gradient + 20 * GateSlack(context)) << phi;
  };
  expect(0, 1 * SampleGate(0.1f, 0.5f).derivative);
  expect(4, 5 * SampleGate(-0.5f, 0.5f).derivative);
  EXPECT_EQ(grad[6], 0.0f) << "cut";
  expect(7, 19 * SampleGate(0.5f, 0.4f).derivative);  // tied levels, 9 and 10
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
  testing::TestContext context;
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

TEST(GatePenalty, GradientIsTimesWhatArrives) {
  testing::TestContext context;
  const auto layout = TwoSites();
  const auto gradient = [&](float upstream) {
    return ToHost<float>(
        context,
        testing::RunWithGradients(
            context, [&](Context& c, const std::vector<Tensor>& in) { return GatePenalty(c, in[0], 0.5, layout); },
            {RandomTensor(context, {8}, 3)}, FromHost<float>(context, {upstream}, {}))[1]);
  };
  auto expected = gradient(1.0f);
  for (float& value : expected) value *= -0.3f;
  EXPECT_EQ(gradient(-0.3f), expected);
}

// More sites than blocks, more channels than threads, parameters that many values share, some that none has.
std::shared_ptr<GateLayout> ManySites(int sites) {
  auto layout = std::make_shared<GateLayout>();
  const int64_t kCommon = 2;  // parameters 0 and 1: of every fifth site
  layout->parameters = kCommon;
  for (int s = 0; s < sites; ++s) {
    GateSite site;
    site.channels = s == 3 ? 700 : s % 4;
    site.channel_offset = layout->parameters;
    layout->parameters += site.channels;
    const int64_t next = layout->parameters;
    if (s % 5 == 0) {
      site.level = {0, 1, next, next};
    } else if (s % 5 == 1) {
      site.level = {kGateOpen, next, kGateClosed, next + 1};
    } else {
      site.level = {next, next + 1, next + 2, next + 3};
    }
    layout->parameters += 4;
    for (int i = 0; i < 5; ++i) site.cost[i] = (1 + s % 3) << i;
    layout->sites.push_back(site);
  }
  return layout;
}

TEST(Gates, GradientAndPenaltyAgreeWithTheCpuOfManySites) {
  testing::TestContext context;
  Context cpu;
  for (const int sites : {0, 1, 7, 1500}) {
    const auto layout = ManySites(sites);
    const int64_t parameters = layout->parameters, values = layout->values();
    const double weight = 0.25;
    std::vector<double> counts(parameters);
    for (const GateSite& site : layout->sites) {
      for (int64_t c = 0; c < site.channels; ++c) ++counts[site.channel_offset + c];
      for (const int64_t offset : site.level) {
        if (offset >= 0) ++counts[offset];
      }
    }
    const auto run = [&](Context& on, bool penalty) {
      const Tensor noise = RandomTensor(on, {parameters}, 2, 0.05f, 0.95f);
      const Tensor weights = penalty ? FromHost<float>(on, {1}, {}) : RandomTensor(on, {values}, 4);
      const auto results = testing::RunWithGradients(
          on,
          [&](Context& c, const std::vector<Tensor>& in) {
            return penalty ? GatePenalty(c, in[0], weight, layout)
                           : Gates(c, in[0], noise, GateMode::kStochastic, layout);
          },
          {RandomTensor(on, {parameters}, 1, -3, 5)}, weights);
      return std::make_pair(ToHost<float>(on, results[0]), ToHost<float>(on, results[1]));
    };
    const auto z = run(context, false), cpu_z = run(cpu, false);
    ASSERT_EQ(z.first.size(), cpu_z.first.size());
    for (int64_t i = 0; i < values; ++i) ASSERT_NEAR(z.first[i], cpu_z.first[i], GateSlack(context)) << i;
    for (int64_t i = 0; i < parameters; ++i) {
      ASSERT_NEAR(z.second[i], cpu_z.second[i], 2 * GateSlack(context) * (counts[i] + 1)) << i;
    }
    const auto r = run(context, true), cpu_r = run(cpu, true);
    // q differs by its exponential, and 1 - q as much, which is a lot of it where q is near 1; R is at most the costs.
    EXPECT_NEAR(r.first[0], cpu_r.first[0], 8 * kEpsilon * cpu_r.first[0]);
    for (int64_t i = 0; i < parameters; ++i) {
      ASSERT_NEAR(r.second[i], cpu_r.second[i], GateSlack(context) * weight * 3 * 32 * (counts[i] + 1)) << i;
    }
  }
}

TEST(Gates, ThresholdsAndCutsAreThoseOfTheCpu) {
  testing::TestContext context;
  Context cpu;
  auto layout = std::make_shared<GateLayout>();
  layout->sites.push_back({1000, 0, {1000, 1001, 1002, 1003}, {}});
  layout->parameters = 1004;
  std::vector<float> phi(1004, HardConcrete<float>::kClosed);
  for (int i = 0; i < 500; ++i) phi[i + 1] = std::nextafter(phi[i], 0.0f);
  for (int i = 500; i < 1000; ++i) phi[i + 1] = std::nextafter(phi[i], -1.0f);
  phi[1000] = std::nextafter(-2.0f, 0.0f);
  phi[1001] = 3;
  phi[1002] = -2;
  phi[1003] = 3;
  for (const GateMode mode : {GateMode::kThreshold, GateMode::kDeterministic}) {
    const auto z = ToHost<float>(context, Gates(context, FromHost(context, phi, {1004}), {}, mode, layout));
    const auto expected = ToHost<float>(cpu, Gates(cpu, FromHost(cpu, phi, {1004}), {}, mode, layout));
    for (int i = 0; i < 1004; ++i) {
      ASSERT_NEAR(z[i], expected[i], mode == GateMode::kThreshold ? 0.0 : GateSlack(context)) << i;
    }
    EXPECT_EQ(z[1001], 1.0f);
    EXPECT_EQ(z[1002], 0.0f);
    EXPECT_EQ(z[1003], 0.0f);
  }
}

TEST(Gates, ACapturedStepReadsPhiOnTheDevice) {
  testing::TestContext context;
  if (!context.backend().can_capture()) GTEST_SKIP() << "this device captures nothing";
  const auto layout = TwoSites();
  const Tensor phi = FromHost<float>(context, std::vector<float>(8, 6.0f), {8});
  const Tensor z = Zeros(context, {11}), penalty = Zeros(context, {});
  const auto work = [&] {
    CopyInto(context, z, Gates(context, phi, {}, GateMode::kThreshold, layout));
    CopyInto(context, penalty, GatePenalty(context, phi, 1.0, layout));
  };
  Zeros(context, {layout->Table(context).size()});  // leaves the pool a block that another table could have
  EXPECT_THROW(context.backend().Capture([&] { TwoSites()->Table(context); }), NotCapturable);
  work();
  const float before = ToHost<float>(context, penalty)[0];
  const auto captured = context.backend().Capture(work);
  CopyInto(context, phi, FromHost<float>(context, std::vector<float>(8, -6.0f), {8}));
  for (int i = 0; i < 2; ++i) captured->Replay();
  EXPECT_EQ(ToHost<float>(context, z), (std::vector<float>{0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}));
  EXPECT_LT(ToHost<float>(context, penalty)[0], before);
}

TEST(GateTable, HoldsTheValuesOfEachParameter) {
  const auto layout = TwoSites();
  layout->parameters = 9;  // the last has no value
  const std::vector<int64_t> words = PackGateTable(*layout);
  EXPECT_GE(words.size(), kLeastTableWords);
  const GateTable table = GateTableAt(words.data(), *layout);
  ASSERT_EQ(table.sites, 2);
  EXPECT_EQ(table.rows[0].value_offset, 0);
  EXPECT_EQ(table.rows[1].value_offset, 7);
  EXPECT_EQ(table.rows[1].site.level[3], kGateClosed);
  EXPECT_EQ(table.rows[1].site.cost[4], 0.7);
  const auto values = [&](int p) {
    return std::vector<int64_t>(table.value_of + table.begin[p], table.value_of + table.begin[p + 1]);
  };
  for (int64_t p = 0; p < 7; ++p) EXPECT_EQ(values(p), std::vector<int64_t>{p});
  EXPECT_EQ(values(7), (std::vector<int64_t>{8, 9}));
  EXPECT_EQ(values(8), std::vector<int64_t>());
  ASSERT_EQ(*table.shared_count, 2);
  EXPECT_EQ(table.shared[0], 7);
  EXPECT_EQ(table.shared[1], 8);
}

TEST(GateLayout, TableIsKeptAndACopyHasItsOwn) {
  testing::TestContext context;
  const auto layout = TwoSites();
  const Tensor table = layout->Table(context);
  EXPECT_EQ(layout->Table(context).raw_data(), table.raw_data());
  GateLayout copy = *layout;
  copy.sites.pop_back();
  EXPECT_NE(copy.Table(context).raw_data(), table.raw_data());
}

TEST(Gates, RejectsWhatDoesNotFit) {
  testing::TestContext context;
  EXPECT_THROW(Gates(context, Zeros(context, {7}), {}, GateMode::kThreshold, TwoSites()), Error);
  EXPECT_THROW(Gates(context, Zeros(context, {8}), {}, GateMode::kStochastic, TwoSites()), Error);
  EXPECT_THROW(GatePenalty(context, Zeros(context, {9}), 1, TwoSites()), Error);
}

}  // namespace
}  // namespace bitgate
