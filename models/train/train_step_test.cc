#include "models/train/train_step.h"

#include <cmath>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "models/train/test_run.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr int64_t kImages = 16;

// A batch at an address of its own.
struct TestBatch {
  TestBatch(Context& context, uint64_t seed, int64_t images = kImages)
      : images(Empty(context, {images, kTestSide, kTestSide, 1})), labels(Empty(context, {images}, DType::kInt32)) {
    Fill(context, seed);
  }
  void Fill(Context& context, uint64_t seed) {
    const Dataset data = TestData(images.shape()[0], seed);
    std::vector<float> pixels;
    for (const uint8_t pixel : std::get<std::vector<uint8_t>>(data.pixels()))
      pixels.push_back(static_cast<float>(pixel) / 255.0f);
    CopyInto(context, images, FromHost(context, pixels, images.shape()));
    CopyInto(context, labels, FromHost(context, data.labels(), labels.shape()));
  }
  Tensor images, labels;
};

StepInputs Inputs(const TestBatch& batch, int64_t step) {
  const double rate = 0.01 / static_cast<double>(1 + step);  // another one in every step
  return {batch.images, batch.labels, {7, 0, static_cast<uint64_t>(step)}, step + 1, {rate, 5 * rate, 3 * rate}};
}

using Values = std::map<std::string, std::vector<float>>;

Values ValuesOf(Network& network) {
  Values values;
  for (const auto& [name, tensor] : network.StateTensors()) values[name] = ToHost<float>(network.context(), tensor);
  return values;
}

struct Outcome {
  Values values;
  std::vector<double> losses;
  int64_t replayed;
};

// Ten steps on two kinds of batches in turn.
Outcome TrainTenSteps(bool capture) {
  TestNetwork test;
  TrainStep step(test.network, GroupsOf(TestOptions().gates), capture);
  TestBatch large(test.context, 1), small(test.context, 2, 5);
  Outcome outcome;
  for (int64_t i = 0; i < 10; ++i) {
    TestBatch& batch = i % 3 == 2 ? small : large;
    batch.Fill(test.context, 100 + i);
    step.Queue(Inputs(batch, i));
  }
  while (const auto result = step.Take(/*wait=*/true)) outcome.losses.push_back(result->loss);
  outcome.values = ValuesOf(test.network);
  outcome.replayed = step.replayed();
  EXPECT_EQ(step.not_captured(), "");
  return outcome;
}

TEST(TrainStepTest, ReplayedStepsAreStepsThatRanByThemselves) {
  const Outcome captured = TrainTenSteps(true), eager = TrainTenSteps(false);
  const bool can_capture = testing::TestContext().backend().can_capture();
  EXPECT_EQ(captured.replayed, can_capture ? 8 : 0);  // all but the first of each kind
  EXPECT_EQ(eager.replayed, 0);
  EXPECT_EQ(captured.losses, eager.losses);
  EXPECT_EQ(captured.values, eager.values);
}

TEST(TrainStepTest, TakesNothingFromTheSystemOnceItIsWarm) {
  TestNetwork test;
  TrainStep step(test.network, GroupsOf(TestOptions().gates));
  const TestBatch batch(test.context, 1);
  const auto run = [&](int64_t i) {
    step.Queue(Inputs(batch, i));
    EXPECT_TRUE(step.Take(/*wait=*/true)->learned);
  };
  for (int64_t i = 0; i < 3; ++i) run(i);
  const PoolStatistics before = test.context.pool()->statistics(), own = step.memory();
  for (int64_t i = 3; i < 6; ++i) run(i);
  EXPECT_EQ(test.context.pool()->statistics().system_allocations, before.system_allocations);
  EXPECT_EQ(test.context.pool()->statistics().in_use_bytes, before.in_use_bytes);
  EXPECT_EQ(step.memory().system_allocations, own.system_allocations);
  EXPECT_EQ(step.memory().in_use_bytes, own.in_use_bytes);
  if (test.context.backend().can_capture()) {
    EXPECT_GT(own.system_allocations, 0);
  }
}

TEST(TrainStepTest, ManyStepsMayBeUnderWayAndComeBackInOrder) {
  TestNetwork test, same;
  TrainStep step(test.network, GroupsOf(TestOptions().gates)), one_by_one(same.network, GroupsOf(TestOptions().gates));
  const TestBatch batch(test.context, 1), other(same.context, 1);
  std::vector<double> losses, expected;
  for (int64_t i = 0; !step.full(); ++i) step.Queue(Inputs(batch, i));
  EXPECT_EQ(step.pending(), StepResults::kMaxPending);
  while (const auto result = step.Take(/*wait=*/true)) losses.push_back(result->loss);
  for (int64_t i = 0; i < StepResults::kMaxPending; ++i) {
    one_by_one.Queue(Inputs(other, i));
    expected.push_back(one_by_one.Take(/*wait=*/true)->loss);
  }
  EXPECT_EQ(losses, expected);
  EXPECT_FALSE(step.Take(/*wait=*/true).has_value());
}

TEST(TrainStepTest, AStepThatIsNotFiniteAndThoseBehindItChangeNothing) {
  TestNetwork test(1, TestGraph(), TestQuantizer("float"));
  TrainStep step(test.network, GroupsOf(TestOptions().gates));
  TestBatch batch(test.context, 1);
  for (int64_t i = 0; i < 3; ++i) {
    step.Queue(Inputs(batch, i));
    EXPECT_TRUE(step.Take(/*wait=*/true)->learned);
  }
  const Values before = ValuesOf(test.network);
  // A loss that is no number, and then good parameters again.
  const Tensor bias = test.network.parameter("fc2/bias").value, good = Clone(test.context, bias);
  CopyInto(test.context, bias, FromHost<float>(test.context, {std::nanf(""), 0, 0}, {kTestClasses}));
  step.Queue(Inputs(batch, 3));
  CopyInto(test.context, bias, good);
  step.Queue(Inputs(batch, 4));
  const auto first = step.Take(/*wait=*/true), second = step.Take(/*wait=*/true);
  EXPECT_FALSE(first->learned);
  EXPECT_FALSE(std::isfinite(first->loss));
  EXPECT_FALSE(second->learned);
  EXPECT_TRUE(std::isfinite(second->loss));
  EXPECT_EQ(ValuesOf(test.network), before);
  step.Proceed();
  step.Queue(Inputs(batch, 4));
  EXPECT_TRUE(step.Take(/*wait=*/true)->learned);
  EXPECT_NE(ValuesOf(test.network), before);
}

#if defined(BG_CUDA_EMULATED)
// Memory runs out when the second kind of batch comes, and what lies idle is given back; but the captured step of the
// first kind counts on finding its own.
TEST(TrainStepTest, CapturedStepsKeepTheirMemoryWhenItIsShort) {
  if (testing::TestDevice().type != DeviceType::kCuda) GTEST_SKIP() << "BITGATE_TEST_DEVICE is no GPU";
  const auto losses = [](bool short_of_memory) {
    TestNetwork test;
    TrainStep step(test.network, GroupsOf(TestOptions().gates));
    const TestBatch batch(test.context, 1), other(test.context, 2, 40);
    std::vector<double> losses;
    const auto run = [&](const TestBatch& on, int64_t i) {
      step.Queue(Inputs(on, i));
      losses.push_back(step.Take(/*wait=*/true)->loss);
    };
    for (int64_t i = 0; i < 3; ++i) run(batch, i);
    Tensor idle = Empty(test.context, {int64_t{1} << 20});
    idle = Tensor();
    const int64_t allocations = test.context.pool()->statistics().system_bytes;
    // Less than the pools hold already: the next that is asked for has to wait for what lies idle.
    if (short_of_memory) setenv("BITGATE_EMULATED_GPU_BYTES", std::to_string(allocations).c_str(), 1);
    run(other, 3);
    for (int64_t i = 4; i < 8; ++i) run(i % 2 == 0 ? batch : other, i);
    unsetenv("BITGATE_EMULATED_GPU_BYTES");
    EXPECT_EQ(step.replayed(), 6);
    if (short_of_memory) {
      EXPECT_LT(test.context.pool()->statistics().system_bytes, allocations);
    }
    return losses;
  };
  EXPECT_EQ(losses(true), losses(false));
}
#endif

// A method that looks at a value in every step.
class Onlooker : public Method {
 public:
  explicit Onlooker(std::unique_ptr<Method> inner) : Method(inner->sites()), inner_(std::move(inner)) {}
  std::vector<ParameterDeclaration> Declare() const override { return inner_->Declare(); }
  void Bind(Context& context, const std::vector<Parameter*>& parameters) override { inner_->Bind(context, parameters); }
  void FromFloat(Context& context, int site, const Tensor& weight, const Tensor& gain) override {
    inner_->FromFloat(context, site, weight, gain);
  }
  std::unique_ptr<Prepared> Begin(Context& context, Mode mode, const StepKey& key, const Tensor& noise) override {
    return inner_->Begin(context, mode, key, noise);
  }
  Tensor Weight(Context& context, const Prepared& prepared, int site, const Tensor& gain) override {
    return inner_->Weight(context, prepared, site, gain);
  }
  Tensor Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) override {
    return inner_->Activation(context, prepared, site, x);
  }
  bool AbsorbsRelu(int site) const override { return inner_->AbsorbsRelu(site); }
  Tensor Penalty(Context& context) override {
    const Tensor penalty = inner_->Penalty(context);
    seen.push_back(ToHost<float>(context, penalty)[0]);
    return penalty;
  }
  std::vector<SiteState> States(Context& context) override { return inner_->States(context); }
  Fixed Freeze(Context& context, int site) override { return inner_->Freeze(context, site); }
  Tensor FloatWeight(Context& context, int site) override { return inner_->FloatWeight(context, site); }
  std::string SaveState() const override { return inner_->SaveState(); }
  void LoadState(const std::string& state) override { inner_->LoadState(state); }

  std::vector<float> seen;

 private:
  std::unique_ptr<Method> inner_;
};

TEST(TrainStepTest, WhatCannotBeCapturedTrainsAllTheSame) {
  testing::TestContext context;
  const Graph graph = TestGraph();
  auto method = std::make_unique<Onlooker>(MakeMethod(graph, TestQuantizer()));
  const Onlooker& onlooker = *method;
  Network network(context, graph, std::move(method), 1);
  TrainStep step(network, GroupsOf(TestOptions().gates));
  TestNetwork plain;
  TrainStep plain_step(plain.network, GroupsOf(TestOptions().gates));
  const TestBatch batch(context, 1), same(plain.context, 1);
  for (int64_t i = 0; i < 5; ++i) {
    step.Queue(Inputs(batch, i));
    plain_step.Queue(Inputs(same, i));
    EXPECT_EQ(step.Take(/*wait=*/true)->loss, plain_step.Take(/*wait=*/true)->loss);
  }
  EXPECT_EQ(ValuesOf(network), ValuesOf(plain.network));
  EXPECT_EQ(step.replayed(), 0);
  EXPECT_EQ(onlooker.seen.size(), 5u);
  if (context.backend().can_capture()) {
    EXPECT_THAT(step.not_captured(), ::testing::HasSubstr("a copy to the host"));
  }
}

}  // namespace
}  // namespace bitgate
