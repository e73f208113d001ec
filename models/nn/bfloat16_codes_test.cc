// Frozen networks in bfloat16 compute on their codes: what differs from float32 is float32's own rounding.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/graph/builder.h"
#include "models/nn/exact_sums.h"
#include "models/nn/network.h"
#include "ops/loss/loss.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/cpu.h"
#include "runtime/base/rng.h"
#include "runtime/device/context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr int64_t kImages = 16, kClasses = 5;

TEST(ExactSums, FollowTheBoundOfFloat32) {
  EXPECT_TRUE(SumsAreExactInBfloat16(1, 256, 256));
  EXPECT_TRUE(SumsAreExactInBfloat16(255, 256, 256));
  EXPECT_FALSE(SumsAreExactInBfloat16(256, 256, 256)) << "2^24";
  EXPECT_TRUE(SumsAreExactInBfloat16(4385, 15, 255)) << "4-bit activations by BSQ's 8-bit weights";
  EXPECT_FALSE(SumsAreExactInBfloat16(4387, 15, 255));
  EXPECT_FALSE(SumsAreExactInBfloat16(4608, 15, 255)) << "VGG-7's conv6 with them";
  EXPECT_TRUE(SumsAreExactInBfloat16(4608, 15, 127));
  EXPECT_TRUE(SumsAreExactInBfloat16(518, 255, 127));
  EXPECT_FALSE(SumsAreExactInBfloat16(519, 255, 127));
  EXPECT_FALSE(SumsAreExactInBfloat16(1, 257, 1)) << "no bfloat16 number";
  EXPECT_FALSE(SumsAreExactInBfloat16(1, 1, 257));
  EXPECT_FALSE(SumsAreExactInBfloat16(std::numeric_limits<int64_t>::max(), 1, 1));
}

// Two layers left in float whose operands bfloat16 holds exactly, so that both computes begin from the same codes; then
// layers on codes, one behind a batch norm, one behind a pool and channels of zeros.
Graph CodesGraph() {
  GraphBuilder b("codes");
  std::string x = b.Input({8, 8, 2});
  for (const std::string number : {"1", "2"}) {
    x = b.Node("stem" + number, "conv2d", {x}, {{"channels", 8}, {"kernel", 1}, {"bias", false}});
    b.weight().set_leave_float(true);
    if (number == "1") b.output().set_leave_float(true);
    x = b.Node("stem_relu" + number, "relu", {x});
  }
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 16}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("relu1", "relu", {b.Node("norm1", "batch_norm", {x})});
  x = b.Node("pool", "max_pool", {x}, {{"kernel", 2}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 8}, {"kernel", 3}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", kClasses}});
  return b.Build();
}

// Multiples of `unit` in [low, high] units.
Tensor Multiples(Context& context, const Shape& shape, uint64_t seed, float unit, int low, int high) {
  std::vector<float> values(static_cast<size_t>(shape.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    const float uniform = Uniform({seed, 99, 0}, i) * static_cast<float>(high + 1 - low);
    values[i] = unit * (static_cast<float>(low) + std::floor(uniform));
  }
  return FromHost(context, values, shape);
}

Tensor Images(Context& context) { return Multiples(context, {kImages, 8, 8, 2}, 1, 0.125f, 0, 7); }

std::vector<float> Logits(Network& network, Compute compute) {
  network.context().set_compute(compute);
  const auto logits =
      ToHost<float>(network.context(), network.Forward(Images(network.context()), Mode::kEvaluate).logits);
  network.context().set_compute(Compute::kFloat32);
  return logits;
}

// The greatest difference that bfloat16 makes to a logit, relative to the greatest logit.
double Difference(Network& network) {
  const std::vector<float> a = Logits(network, Compute::kFloat32), b = Logits(network, Compute::kBfloat16);
  double difference = 0, greatest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - b[i]));
    greatest = std::max(greatest, std::fabs(static_cast<double>(a[i])));
  }
  return difference / greatest;
}

// The stems, and some batches for the statistics of the batch norm.
void Begin(Network& network) {
  for (const char* stem : {"stem1", "stem2"}) {
    const Tensor weight = network.parameter(std::string(stem) + "/weight").value.Detached();
    CopyInto(network.context(), weight, Multiples(network.context(), weight.shape(), 7, 1, -1, 1));
  }
  for (uint64_t step = 0; step < 20; ++step) network.Forward(Images(network.context()), Mode::kTrain, {1, 0, step});
}

void Set(Network& network, const std::string& name, const std::vector<float>& values) {
  const Tensor part = network.StateTensors().at(name);
  CopyInto(network.context(), part, FromHost(network.context(), values, part.shape()));
}

void ScaleRange(Network& network, const std::string& name, float factor) {
  std::vector<float> range = ToHost<float>(network.context(), network.StateTensors().at(name));
  Set(network, name, {range.at(0) * factor});
}

// Before freezing operands are rounded to bfloat16; afterwards nothing is, whatever the ranges have become.
void CheckFreezing(Network& network) {
  EXPECT_GT(Difference(network), 1e-4);
  network.Freeze();
  EXPECT_LT(Difference(network), 2e-6);
  const std::vector<float> before = Logits(network, Compute::kBfloat16);
  EXPECT_GT(std::fabs(before[0] - before[kClasses]), 1e-3) << "of two images: a dead network shows nothing";
  ScaleRange(network, "conv1/weight/range", 1.37f);
  ScaleRange(network, "conv1/output/range", 0.91f);
  EXPECT_NE(Logits(network, Compute::kBfloat16), before);
  EXPECT_LT(Difference(network), 2e-6);
}

TEST(Bfloat16Codes, FrozenBayesianBitsNetworksAreExact) {
  if (!HasBfloat16Units()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context;
  QuantizerConfig config;
  config.set_method("bayesian_bits");
  Network network(context, CodesGraph(), config, 5);
  Begin(network);
  Set(network, "stem2/output/gates", {6, 6, -6, -6});   // 8 bits
  Set(network, "conv1/weight/gates", {6, 6, -6, -6});   // 8
  Set(network, "conv1/output/gates", {6, -6, -6, -6});  // 4
  Set(network, "conv2/weight/gates", {-6, 6, 6, 6});    // 2
  Set(network, "conv2/output/gates", {6, 6, -6, -6});   // 8
  Set(network, "fc/weight/gates", {6, -6, -6, -6});     // 4
  EXPECT_EQ(network.States().at("conv2/weight").bits, 2);
  CheckFreezing(network);
}

TEST(Bfloat16Codes, FrozenBsqNetworksAreExact) {
  if (!HasBfloat16Units()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context;
  QuantizerConfig config;
  config.set_method("bsq");
  config.set_initial_bits(8);
  config.set_activation_bits(4);
  Network network(context, CodesGraph(), config, 5);
  Begin(network);
  network.Requantize();
  network.method().BeginCalibration();
  network.Forward(Images(context), Mode::kCalibrate);
  CheckFreezing(network);
  EXPECT_NO_THROW(network.parameter("norm1/gamma"));
}

// Codes of 16 bits are no bfloat16 numbers: such a layer goes on rounding its operands.
TEST(Bfloat16Codes, WiderCodesAreRounded) {
  if (!HasBfloat16Units()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context;
  QuantizerConfig config;
  config.set_method("bayesian_bits");
  Network network(context, CodesGraph(), config, 5);
  Begin(network);
  for (const char* site : {"stem2/output", "conv1/weight", "conv1/output", "conv2/weight", "conv2/output"}) {
    Set(network, std::string(site) + "/gates", {6, 6, -6, -6});
  }
  Set(network, "fc/weight/gates", {6, 6, 6, -6});
  network.Freeze();
  EXPECT_GT(Difference(network), 1e-4);
}

TEST(Bfloat16Codes, FineTuningStandsOnThem) {
  if (!HasBfloat16Units()) GTEST_SKIP() << "needs AVX-512 BF16 or AMX";
  Context context;
  QuantizerConfig config;
  config.set_method("bsq");
  config.set_activation_bits(4);
  Network network(context, CodesGraph(), config, 5);
  Begin(network);
  const auto train = [&](Compute compute) {
    context.set_compute(compute);
    Tape tape;
    network.Watch(tape);
    Tensor loss;
    {
      const Recording recording(context, tape);
      const Tensor logits = network.Forward(Images(context), Mode::kTrain, {1, 0, 1}).logits;
      const Tensor labels = FromHost(context, std::vector<int32_t>(kImages, 1), {kImages});
      loss = SoftmaxCrossEntropy(context, logits, labels);
    }
    tape.Backward(context, loss);
    for (Parameter* parameter : network.parameters()) {
      if (!parameter->declaration.learned) continue;
      for (const float g : ToHost<float>(context, tape.Gradient(parameter->leaf()))) EXPECT_TRUE(std::isfinite(g));
    }
    const float value = ToHost<float>(context, loss).at(0);
    context.set_compute(Compute::kFloat32);
    return value;
  };
  const float learning = train(Compute::kFloat32);
  EXPECT_GT(std::fabs(train(Compute::kBfloat16) - learning), 1e-5f * learning) << "operands are rounded";
  network.Forward(Images(context), Mode::kCalibrate);
  network.Freeze();
  const float frozen = train(Compute::kFloat32);
  EXPECT_NEAR(train(Compute::kBfloat16), frozen, 1e-6f * frozen);
}

}  // namespace
}  // namespace bitgate
