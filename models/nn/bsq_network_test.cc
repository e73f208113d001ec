// A network under BSQ: planes as parameters, re-quantizing, calibrating, freezing, files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/graph/builder.h"
#include "models/nn/network.h"
#include "ops/loss/loss.h"
#include "ops/quant/bsq/bsq_layer.h"
#include "ops/quant/bsq/bsq_weight.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

QuantizerConfig Quantizer(int initial_bits = 8, int activation_bits = 4, double alpha = 0.01) {
  QuantizerConfig config;
  config.set_method("bsq");
  config.set_initial_bits(initial_bits);
  config.set_activation_bits(activation_bits);
  config.set_alpha(alpha);
  return config;
}

Graph SmallGraph() {
  GraphBuilder b("small");
  std::string x = b.Input({6, 6, 2});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("relu1", "relu", {b.Node("norm1", "batch_norm", {x})});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

Tensor Images(Context& context, int64_t n, uint64_t seed = 1) {
  std::vector<float> values(n * 72);
  for (size_t i = 0; i < values.size(); ++i) values[i] = Uniform({seed, 99, 0}, i);
  return FromHost(context, values, {n, 6, 6, 2});
}

std::vector<float> Logits(Network& network, const Tensor& images) {
  return ToHost<float>(network.context(), network.Forward(images, Mode::kEvaluate).logits);
}

std::vector<float> QuantizedWeight(Network& network, const std::string& name) {
  Method& method = network.method();
  const auto prepared = method.Begin(network.context(), Mode::kEvaluate, {}, {});
  for (size_t i = 0; i < method.sites().size(); ++i) {
    if (method.sites()[i].name != name) continue;
    return ToHost<float>(network.context(), method.Weight(network.context(), *prepared, static_cast<int>(i), {}));
  }
  ADD_FAILURE() << "no site " << name;
  return {};
}

void SetPlanes(Network& network, const std::string& name, const std::function<float(int64_t row, int64_t i)>& value) {
  const Tensor planes = network.parameter(name + "/planes").value.Detached();
  const int64_t elements = planes.size() / planes.shape()[0];
  std::vector<float> values;
  for (int64_t i = 0; i < planes.size(); ++i) values.push_back(value(i / elements, i % elements));
  CopyInto(network.context(), planes, FromHost(network.context(), values, planes.shape()));
}

int BitsOf(const RequantizeReport& report, const std::string& name) {
  for (const RequantizedTensor& tensor : report.tensors) {
    if (tensor.name == name) return tensor.bits;
  }
  return -1;
}

TEST(Bsq, BeginsFromFloatAtTheInitialBits) {
  testing::TestContext context;
  Network plain(
      context, SmallGraph(),
      [] {
        QuantizerConfig c;
        c.set_method("float");
        return c;
      }(),
      3);
  Network network(context, SmallGraph(), Quantizer(), 3);
  const std::vector<float> weight = ToHost<float>(context, plain.parameter("conv2/weight").value);
  const std::vector<float> quantized = QuantizedWeight(network, "conv2/weight");
  const float scale = ToHost<float>(context, network.StateTensors().at("conv2/weight/scale")).at(0);
  for (size_t i = 0; i < weight.size(); ++i) EXPECT_NEAR(quantized[i], weight[i], 0.51 * scale / 255) << i;
  const SiteStates states = network.States();
  EXPECT_EQ(states.at("conv2/weight").bits, 8);
  EXPECT_EQ(states.at("conv1/output").bits, 32) << "the first layer's output is not quantized";
  EXPECT_EQ(states.at("conv2/output").bits, 4);
  EXPECT_EQ(network.parameter("conv2/bias/planes").value.shape(), (Shape{16, 4}));
  EXPECT_THROW(network.parameter("conv2/bias"), Error);
  EXPECT_THROW(network.parameter("clips"), Error);
}

TEST(Bsq, BelowFourBitsActivationsLearnTheirClip) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(8, 3), 3);
  EXPECT_EQ(ToHost<float>(context, network.StateTensors().at("conv2/output/clip")), std::vector<float>{10});
  Network off(context, SmallGraph(), Quantizer(8, 0), 3);
  EXPECT_EQ(off.States().at("conv2/output").bits, 32);
}

// Planes share one gradient: the row on the tape has that of u, and gains say what each plane makes of it.
TEST(Bsq, TheTapeWatchesOneRow) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(3), 3);
  Tape tape;
  network.Watch(tape);
  ForwardResult forward;
  Tensor loss;
  {
    const Recording recording(context, tape);
    forward = network.Forward(Images(context, 4), Mode::kTrain);
    loss = SoftmaxCrossEntropy(context, forward.logits, FromHost<int32_t>(context, {0, 1, 2, 0}, {4}));
  }
  tape.Backward(context, loss);
  Parameter& planes = network.parameter("conv2/weight/planes");
  EXPECT_EQ(tape.Gradient(planes.leaf()).shape(), (Shape{4, 3, 3, 4}));
  EXPECT_TRUE(tape.Gradient(network.parameter("scales").leaf()).defined());
  EXPECT_EQ(ToHost<float>(context, planes.gain), BsqGains(3));
  ASSERT_TRUE(forward.penalty.defined());
  EXPECT_EQ(forward.penalty.shape(), Shape{});
  const std::vector<float> decay = ToHost<float>(context, planes.decay);
  ASSERT_EQ(decay.size(), 6u);
  for (const float value : decay) EXPECT_GT(value, 0);
}

// sum over tensors of alpha n N / n_total * sum over planes of sqrt(1e-8 + ||P_b||^2 + ||M_b||^2), in double.
TEST(Bsq, PenaltyIsTheMemoryAwareGroupLasso) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(3, 4, 0.02), 3);
  double expected = 0, total = 0;
  for (const bool count : {true, false}) {
    for (const Parameter* parameter : network.parameters()) {
      if (parameter->declaration.name.find("/planes") == std::string::npos) continue;
      const std::vector<float> values = ToHost<float>(context, parameter->value);
      const size_t elements = values.size() / 16;
      if (count) total += static_cast<double>(elements);
      for (size_t b = 0; !count && b < 3; ++b) {
        double squares = 1e-8;
        for (size_t i = 0; i < elements; ++i) {
          squares += std::pow(values[b * elements + i], 2) + std::pow(values[(b + 3) * elements + i], 2);
        }
        expected += 0.02 * static_cast<double>(elements) * 3 / total * std::sqrt(squares);
      }
    }
  }
  EXPECT_NEAR(ToHost<float>(context, network.method().Penalty(context)).at(0), expected, 1e-5 * expected);
}

TEST(Bsq, AdjustingDropsPlanesAndKeepsTheWeights) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(4), 3);
  // Codes 0 and +-2: of 4 bits the two leading planes and the trailing one are empty.
  SetPlanes(network, "conv2/weight",
            [](int64_t row, int64_t i) { return row == 2 + 4 * (i % 2) && i % 3 ? 1.0f : 0.0f; });
  const std::vector<float> before = QuantizedWeight(network, "conv2/weight");
  const int64_t revision = network.revision();
  const RequantizeReport report = network.Requantize();
  EXPECT_NE(network.revision(), revision);
  EXPECT_EQ(BitsOf(report, "conv2/weight"), 1);
  EXPECT_EQ(network.States().at("conv2/weight").bits, 1);
  const std::vector<float> after = QuantizedWeight(network, "conv2/weight");
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-6) << i;
  EXPECT_EQ(network.parameter("conv2/weight/planes").gain.size(), 2);
  EXPECT_TRUE(report.warnings.empty());
}

TEST(Bsq, AdjustingGrowsWhereCodesSaturate) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(2), 3);
  SetPlanes(network, "fc/weight", [](int64_t row, int64_t i) {
    return row < 2 && i == 0 ? 1.7f : row == 1 ? 1.0f : 0;
  });
  EXPECT_EQ(BitsOf(network.Requantize(), "fc/weight"), 3);  // the code 5.1 of the first
}

TEST(Bsq, LayersOfZeroBitsAreNamedAndGiveZero) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(4), 3);
  const auto zero = [](int64_t, int64_t) { return 0.2f; };
  SetPlanes(network, "conv2/weight", zero);
  RequantizeReport report = network.Requantize();
  EXPECT_EQ(BitsOf(report, "conv2/weight"), 0);
  for (const RequantizedTensor& tensor : report.tensors) {
    if (tensor.name != "conv2/weight") continue;
    EXPECT_EQ(tensor.bits_before, 4) << "it was not zero when it was last looked at";
  }
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings[0].find("conv2/weight"), std::string::npos);
  EXPECT_EQ(network.States().at("conv2/weight").bits, 0);
  for (const float value : QuantizedWeight(network, "conv2/weight")) EXPECT_EQ(value, 0);
  for (const char* name : {"conv1/weight", "fc/weight"}) SetPlanes(network, name, zero);
  report = network.Requantize();
  ASSERT_EQ(report.warnings.size(), 1u);
  EXPECT_NE(report.warnings[0].find("all layers"), std::string::npos);
  EXPECT_NE(report.warnings[0].find("fc/weight"), std::string::npos);
  EXPECT_TRUE(std::isfinite(Logits(network, Images(context, 2)).at(0)));
}

TEST(Bsq, FreezesAfterCalibratingToTheSameCodes) {
  testing::TestContext context;
  for (const int activation_bits : {4, 3, 0}) {
    Network network(context, SmallGraph(), Quantizer(8, activation_bits), 3);
    const Tensor images = Images(context, 4);
    network.Forward(images, Mode::kTrain);
    network.Requantize();
    if (activation_bits > 0) {
      EXPECT_THROW(network.Freeze(), Error);
    }
    network.method().BeginCalibration();
    network.Forward(images, Mode::kCalibrate);
    const std::vector<float> before = Logits(network, images);
    const std::vector<float> bias = ToHost<float>(context, network.Float(network.graph().node("fc").index, "bias"));
    const FreezeReport report = network.Freeze();
    for (const FrozenSite& site : report.sites) EXPECT_EQ(site.changed_codes, 0) << site.name;
    const std::vector<float> after = Logits(network, images);
    for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-4) << i;
    EXPECT_EQ(ToHost<float>(context, network.parameter("fc/bias").value), bias);
    EXPECT_NO_THROW(network.parameter("norm1/gamma"));
    const Fixed fixed = network.method().Freeze(context, 0);
    EXPECT_EQ(fixed.qmin, -fixed.qmax);
    EXPECT_GT(fixed.qmax, 127) << "codes of 8 bits reach +-255";
  }
}

TEST(Bsq, FilesGiveBackBitsAndLargestValues) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(4), 3), copy(context, SmallGraph(), Quantizer(4), 4);
  const Tensor images = Images(context, 4);
  SetPlanes(network, "conv2/weight", [](int64_t row, int64_t i) { return row == 2 && i % 3 ? 1.0f : 0.0f; });
  network.Requantize();
  network.Forward(images, Mode::kCalibrate);
  copy.Load(network.StateTensors(), network.SaveState());
  EXPECT_EQ(copy.SaveState(), network.SaveState());
  EXPECT_EQ(Logits(copy, images), Logits(network, images));
  copy.Freeze();
  network.Freeze();
  EXPECT_EQ(Logits(copy, images), Logits(network, images));
  Network third(context, SmallGraph(), Quantizer(4), 5);
  third.Load(network.StateTensors(), network.SaveState());
  EXPECT_EQ(Logits(third, images), Logits(network, images));
}

TEST(Bsq, RefusesStatesThatAreNone) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer(4), 3);
  const auto tensors = network.StateTensors();
  for (const char* state :
       {"", "[]", "{}", R"({"bits":{},"largest":{},"zero":[]})",
        R"({"bits":{"conv1/weight":9},"largest":{},"zero":[]})", R"({"bits":{"conv1/weight":"x"},"largest":[]})"}) {
    EXPECT_THROW(network.method().LoadState(state), Error) << state;
  }
}

TEST(Bsq, SettingsOutOfRangeAreRefused) {
  testing::TestContext context;
  EXPECT_THROW(Network(context, SmallGraph(), Quantizer(9), 1), Error);
  EXPECT_THROW(Network(context, SmallGraph(), Quantizer(0), 1), Error);
  EXPECT_THROW(Network(context, SmallGraph(), Quantizer(8, 17), 1), Error);
  EXPECT_THROW(Network(context, SmallGraph(), Quantizer(8, 4, -1), 1), Error);
}

}  // namespace
}  // namespace bitgate
