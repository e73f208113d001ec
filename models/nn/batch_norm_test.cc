// Batch norm behind quantized layers: beside them, or folded into their weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "models/graph/builder.h"
#include "models/nn/network.h"
#include "ops/conv/conv.h"
#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/norm.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

QuantizerConfig Quantizer(const std::string& method,
                          QuantizerConfig::BatchNormStatistics statistics = QuantizerConfig::FLOAT) {
  QuantizerConfig config;
  config.set_method(method);
  config.set_batch_norm_statistics(statistics);
  config.set_stochastic_gates(false);
  return config;
}

std::string Normalised(GraphBuilder* b, const std::string& name, const std::string& x, int channels) {
  const std::string y =
      b->Node(name, "conv2d", {x}, {{"channels", channels}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  return b->Node(name + "_norm", "batch_norm", {y});
}

// conv1 with batch norm and relu, a residual block, a linear layer with batch norm, a linear layer.
Graph SmallGraph() {
  GraphBuilder b("normalised");
  const std::string x = b.Input({6, 6, 2});
  const std::string relu1 = b.Node("relu1", "relu", {Normalised(&b, "conv1", x, 4)});
  const std::string block = b.Node("relu2", "relu", {Normalised(&b, "conv2", relu1, 4)});
  const std::string sum = b.Node("sum", "add", {Normalised(&b, "conv3", block, 4), relu1});
  std::string y = b.Node("flatten", "flatten", {b.Node("relu3", "relu", {sum})});
  y = b.Node("fc1", "linear", {y}, {{"channels", 8}, {"bias", false}});
  y = b.Node("relu4", "relu", {b.Node("fc1_norm", "batch_norm", {y})});
  b.Node("fc2", "linear", {y}, {{"channels", 3}});
  return b.Build();
}

Tensor Random(Context& context, const Shape& shape, uint64_t seed, float low = 0, float high = 1) {
  std::vector<float> values(shape.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = low + (high - low) * Uniform({seed, 99, 0}, i);
  return FromHost(context, values, shape);
}

Tensor Images(Context& context, int64_t n, uint64_t seed = 1) { return Random(context, Shape{n, 6, 6, 2}, seed); }

// Norms as after some training, one gamma negative.
void SetNorms(Network& network) {
  uint64_t seed = 20;
  for (const Node& node : network.graph().nodes()) {
    if (!node.kind->traits().is_normalization) continue;
    const Shape shape = Shape(node.spec.parameters[0].shape);
    std::vector<float> gamma = ToHost<float>(network.context(), Random(network.context(), shape, ++seed, 0.5f, 1.5f));
    gamma[0] = -gamma[0];
    network.SetFloat(node.index, "gamma", FromHost(network.context(), gamma, shape));
    network.SetFloat(node.index, "beta", Random(network.context(), shape, ++seed, -0.5f, 0.5f));
    network.SetFloat(node.index, "running_mean", Random(network.context(), shape, ++seed, -0.2f, 0.2f));
    network.SetFloat(node.index, "running_variance", Random(network.context(), shape, ++seed, 0.1f, 0.4f));
  }
  for (const Node& node : network.graph().nodes()) {  // ranges see the gains
    if (node.kind->traits().has_weight) network.SetFloat(node.index, "weight", network.Float(node.index, "weight"));
  }
}

// Nothing is clipped then: a range begins at the largest value, and some weights are further below zero.
void WidenRanges(Network& network, const std::string& of) {
  for (const auto& [name, tensor] : network.StateTensors()) {
    if (name.find(of + "/range") == std::string::npos) continue;
    CopyInto(network.context(), tensor, FromHost<float>(network.context(), {8}, {1}));
  }
}

std::vector<float> Logits(Network& network, const Tensor& images) {
  return ToHost<float>(network.context(), network.Forward(images, Mode::kEvaluate).logits);
}

double LargestDifference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double largest = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) largest = std::max(largest, std::fabs(double{a[i]} - b[i]));
  return largest;
}

TEST(BatchNorm, BeginsAsTheIdentityAndIsNotAllLearned) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer("float"), 1);
  EXPECT_EQ(ToHost<float>(context, network.parameter("conv1_norm/gamma").value), std::vector<float>(4, 1.0f));
  EXPECT_EQ(ToHost<float>(context, network.parameter("conv1_norm/running_variance").value), std::vector<float>(4, 1));
  EXPECT_EQ(ToHost<float>(context, network.parameter("fc1_norm/beta").value), std::vector<float>(8, 0.0f));
  EXPECT_TRUE(network.parameter("conv1_norm/beta").declaration.learned);
  EXPECT_FALSE(network.parameter("conv1_norm/running_mean").declaration.learned);
  EXPECT_EQ(network.StateTensors().count("conv2_norm/running_variance"), 1u);
}

// The first layer by its ops, in both modes.
TEST(BatchNorm, OfAFloatNetworkIsConvolutionAndBatchNorm) {
  testing::TestContext context;
  GraphBuilder b("one");
  const std::string conv =
      b.Node("conv", "conv2d", {b.Input({6, 6, 2})}, {{"channels", 3}, {"kernel", 3}, {"bias", false}});
  b.Node("relu", "relu", {b.Node("norm", "batch_norm", {conv})});
  Network network(context, b.Build(), Quantizer("float"), 3);
  SetNorms(network);
  const Tensor images = Images(context, 5);
  const auto value = [&](const char* name) { return network.parameter(name).value.Detached(); };
  const Tensor mean = FromHost(context, ToHost<float>(context, value("norm/running_mean")), {3});
  const Tensor variance = FromHost(context, ToHost<float>(context, value("norm/running_variance")), {3});
  for (const Mode mode : {Mode::kEvaluate, Mode::kTrain}) {
    BatchNormParams params;
    params.training = mode == Mode::kTrain;
    const Tensor y = Conv2d(context, images, value("conv/weight"), {}, {});
    const Tensor expected =
        Relu(context, BatchNorm(context, y, value("norm/gamma"), value("norm/beta"), mean, variance, params));
    EXPECT_EQ(ToHost<float>(context, network.Forward(images, mode).logits), ToHost<float>(context, expected));
    EXPECT_EQ(ToHost<float>(context, value("norm/running_mean")), ToHost<float>(context, mean));
    EXPECT_EQ(ToHost<float>(context, value("norm/running_variance")), ToHost<float>(context, variance));
  }
}

// With all gates open to 32 bits quantizing changes little: folded and beside, batch norm is the same function.
TEST(BatchNorm, FoldedGivesWhatBatchNormBesideGives) {
  testing::TestContext context;
  Network plain(context, SmallGraph(), Quantizer("float"), 5);
  SetNorms(plain);
  const Tensor images = Images(context, 8);
  const std::vector<float> evaluated = Logits(plain, images);
  const std::vector<float> trained = ToHost<float>(context, plain.Forward(images, Mode::kTrain).logits);
  for (const auto statistics : {QuantizerConfig::FLOAT, QuantizerConfig::DETACHED, QuantizerConfig::QUANTIZED}) {
    Network network(context, SmallGraph(), Quantizer("bayesian_bits", statistics), 5);
    SetNorms(network);
    WidenRanges(network, "weight");
    const Tensor logits = network.Forward(images, Mode::kTrain).logits;
    EXPECT_LT(LargestDifference(ToHost<float>(context, logits), trained), 1e-3) << statistics;
    for (const char* name : {"conv1_norm/running_mean", "conv3_norm/running_variance", "fc1_norm/running_variance"}) {
      EXPECT_LT(LargestDifference(ToHost<float>(context, network.parameter(name).value),
                                  ToHost<float>(context, plain.parameter(name).value)),
                1e-4)
          << name << " " << statistics;
    }
    SetNorms(network);
    WidenRanges(network, "");
    EXPECT_LT(LargestDifference(Logits(network, images), evaluated), 1e-3) << statistics;
  }
}

std::vector<float> GradientOf(Network& network, const std::string& name, const Tensor& images) {
  Context& context = network.context();
  const Tensor labels = FromHost<int32_t>(context, std::vector<int32_t>(images.shape()[0], 1), {images.shape()[0]});
  Tape tape;
  network.Watch(tape);
  Tensor loss;
  {
    const Recording recording(context, tape);
    loss = SoftmaxCrossEntropy(context, network.Forward(images, Mode::kTrain).logits, labels);
  }
  tape.Backward(context, loss);
  return ToHost<float>(context, tape.Gradient(network.parameter(name).leaf()));
}

TEST(BatchNorm, GradientsAreThoseOfBatchNormWhereverStatisticsAreFrom) {
  testing::TestContext context;
  const Tensor images = Images(context, 8);
  std::vector<std::vector<float>> gradients;
  for (const auto statistics : {QuantizerConfig::FLOAT, QuantizerConfig::DETACHED, QuantizerConfig::QUANTIZED}) {
    Network network(context, SmallGraph(), Quantizer("bayesian_bits", statistics), 5);
    network.Forward(images, Mode::kTrain);
    SetNorms(network);
    WidenRanges(network, "");
    gradients.push_back(GradientOf(network, "conv2/weight", images));
    EXPECT_FALSE(GradientOf(network, "conv2_norm/gamma", images).empty());
  }
  Network plain(context, SmallGraph(), Quantizer("float"), 5);
  SetNorms(plain);
  const std::vector<float> expected = GradientOf(plain, "conv2/weight", images);
  double scale = 0;
  for (const float value : expected) scale = std::max(scale, std::fabs(double{value}));
  for (const std::vector<float>& gradient : gradients) {
    EXPECT_LT(LargestDifference(gradient, expected), 0.05 * scale);
  }
}

constexpr float kHalfOpen = 0;  // phi of a gate that is 0.5, and open where gates are thresholded

// phi of the channels of a layer, or of them all.
void SetChannelGates(Network& network, const std::string& of, const std::vector<float>& phi) {
  int64_t set = 0;
  for (const auto& [name, tensor] : network.StateTensors()) {
    if (name.find(of + "/weight/channel_gates") == std::string::npos) continue;
    std::vector<float> values(tensor.size());
    for (size_t i = 0; i < values.size(); ++i) values[i] = phi[i % phi.size()];
    CopyInto(network.context(), tensor, FromHost(network.context(), values, tensor.shape()));
    ++set;
  }
  EXPECT_GT(set, 0) << of;
}

// The gradient of each layer's channel gates, layer by layer.
std::map<std::string, std::vector<float>> ChannelGateGradients(Network& network, const Tensor& images) {
  const std::vector<float> all = GradientOf(network, "gates", images);
  std::map<std::string, std::vector<float>> gradients;
  for (const ParameterPart& part : network.parameter("gates").declaration.parts) {
    if (part.name.find("/channel_gates") == std::string::npos) continue;
    gradients[part.name] = {all.begin() + part.offset, all.begin() + part.offset + part.shape.size()};
  }
  return gradients;
}

double Largest(const std::vector<float>& values) {
  return LargestDifference(values, std::vector<float>(values.size(), 0.0f));
}

// Normalising by the statistics of the quantized layer must not undo what its gates do.
TEST(BatchNorm, ChannelGatesHaveAGradientFromTheTask) {
  testing::TestContext context;
  const Tensor images = Images(context, 16);
  std::vector<std::map<std::string, std::vector<float>>> gradients;
  for (const auto statistics : {QuantizerConfig::FLOAT, QuantizerConfig::DETACHED, QuantizerConfig::QUANTIZED}) {
    Network network(context, SmallGraph(), Quantizer("bayesian_bits", statistics), 5);
    network.Forward(images, Mode::kTrain);
    SetNorms(network);
    WidenRanges(network, "");
    SetChannelGates(network, "", {kHalfOpen, 0.3f, -0.3f});
    gradients.push_back(ChannelGateGradients(network, images));
  }
  EXPECT_EQ(gradients[0].size(), 4u);  // all but the last layer's
  for (const auto& [name, expected] : gradients[0]) {
    EXPECT_GT(Largest(expected), 0.01) << name;
    for (const size_t k : {1, 2}) {
      EXPECT_LT(LargestDifference(gradients[k][name], expected), 0.05 * Largest(expected)) << name << ", " << k;
    }
  }
}

// Statistics that have been learned before a gate closes are what it is evaluated with, and frozen.
TEST(BatchNorm, RunningStatisticsAreThoseOfTheLayerWithoutGates) {
  testing::TestContext context;
  const Tensor images = Images(context, 16), others = Images(context, 8, /*seed=*/2);
  std::vector<std::vector<float>> logits, means, variances;
  for (const auto statistics : {QuantizerConfig::DETACHED, QuantizerConfig::QUANTIZED}) {
    Network network(context, SmallGraph(), Quantizer("bayesian_bits", statistics), 5);
    network.Forward(images, Mode::kTrain);
    SetNorms(network);
    WidenRanges(network, "");
    const auto train = [&](int passes) {
      for (int i = 0; i < passes; ++i) network.Forward(images, Mode::kTrain);
    };
    SetChannelGates(network, "", {kHalfOpen, 6});
    train(60);  // 0.9^60: of what ran before nothing is left
    SetChannelGates(network, "conv1", {kHalfOpen, 6, -6, 6});
    train(60);  // fc1 sees what conv1 does
    SetChannelGates(network, "fc1", {kHalfOpen, 6, -6, 6});
    train(10);
    logits.push_back(Logits(network, others));
    means.push_back(ToHost<float>(context, network.parameter("conv1_norm/running_mean").value));
    variances.push_back(ToHost<float>(context, network.parameter("conv1_norm/running_variance").value));
  }
  EXPECT_LT(LargestDifference(logits[1], logits[0]), 0.03 * Largest(logits[0]));
  EXPECT_LT(LargestDifference(means[1], means[0]), 0.03 * Largest(means[0]));
  EXPECT_LT(LargestDifference(variances[1], variances[0]), 0.03 * Largest(variances[0]));
}

// A step whose loss is not finite must leave a network that goes on.
TEST(BatchNorm, ImagesThatAreNotFiniteLeaveRunningStatisticsFinite) {
  testing::TestContext context;
  std::vector<float> values = ToHost<float>(context, Images(context, 8));
  values[5] = std::numeric_limits<float>::infinity();
  const Tensor images = Images(context, 8), bad = FromHost(context, values, images.shape());
  std::vector<QuantizerConfig> quantizers = {Quantizer("float")};
  for (const auto statistics : {QuantizerConfig::FLOAT, QuantizerConfig::DETACHED, QuantizerConfig::QUANTIZED}) {
    quantizers.push_back(Quantizer("bayesian_bits", statistics));
  }
  for (const QuantizerConfig& quantizer : quantizers) {
    Network network(context, SmallGraph(), quantizer, 5);
    network.Forward(images, Mode::kTrain);
    network.Forward(bad, Mode::kTrain);
    for (const char* name : {"conv1_norm/running_mean", "conv1_norm/running_variance", "conv3_norm/running_mean",
                             "fc1_norm/running_variance"}) {
      for (const float value : ToHost<float>(context, network.parameter(name).value)) {
        EXPECT_TRUE(std::isfinite(value)) << name << " " << quantizer.ShortDebugString();
      }
    }
    for (const float value : Logits(network, images)) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST(BatchNorm, FreezingFoldsIt) {
  testing::TestContext context;
  for (const auto statistics : {QuantizerConfig::FLOAT, QuantizerConfig::QUANTIZED}) {
    QuantizerConfig quantizer = Quantizer("bayesian_bits", statistics);
    for (const int bits : {16, 32}) quantizer.add_initially_closed_bits(bits);
    Network network(context, SmallGraph(), quantizer, 5);
    SetNorms(network);
    const Tensor images = Images(context, 8);
    network.Forward(images, Mode::kTrain);
    const std::vector<float> before = Logits(network, images);
    const FreezeReport report = network.Freeze();
    int64_t changed = 0;
    for (const FrozenSite& site : report.sites) changed += site.changed_codes;
    EXPECT_EQ(changed, 0);
    for (const Node& node : network.graph().nodes()) EXPECT_FALSE(node.kind->traits().is_normalization) << node.name;
    EXPECT_THROW(network.parameter("conv1_norm/gamma"), Error);
    EXPECT_NO_THROW(network.parameter("fc1/bias"));
    EXPECT_LT(LargestDifference(Logits(network, images), before), 0.02);
    EXPECT_EQ(network.source().ToText(), SmallGraph().ToText());

    Network copy(context, SmallGraph(), quantizer, 6);
    copy.Load(network.StateTensors(), network.SaveState());
    EXPECT_EQ(Logits(copy, images), Logits(network, images));
    EXPECT_EQ(copy.SaveState(), network.SaveState());
  }
}

TEST(BatchNorm, AMethodThatFoldsNothingKeepsIt) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer("float"), 5);
  SetNorms(network);
  const Tensor images = Images(context, 8);
  const std::vector<float> before = Logits(network, images);
  network.Freeze();
  EXPECT_EQ(Logits(network, images), before);
  EXPECT_NO_THROW(network.parameter("conv1_norm/gamma"));
}

TEST(BatchNorm, NegativeVarianceInAFileIsRefused) {
  testing::TestContext context;
  Network network(context, SmallGraph(), Quantizer("float"), 5);
  std::map<std::string, Tensor> tensors = network.StateTensors();
  tensors["conv1_norm/running_variance"] = FromHost<float>(context, {1, -1, 1, 1}, {4});
  try {
    network.Load(tensors, network.SaveState());
    FAIL() << "expected an error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("conv1_norm/running_variance"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace bitgate
