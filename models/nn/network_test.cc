#include "models/nn/network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "models/graph/builder.h"
#include "models/nn/layer_call.h"
#include "models/zoo/lenet5.h"
#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"
#include "runtime/base/error.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

QuantizerConfig Quantizer(const std::string& method = "bayesian_bits") {
  QuantizerConfig config;
  config.set_method(method);
  config.set_mu(0.01);
  return config;
}

Tensor Images(Context& context, int64_t n, const Dims& shape, uint64_t seed = 1) {
  std::vector<int64_t> dimensions = {n};
  dimensions.insert(dimensions.end(), shape.begin(), shape.end());
  const Shape all(dimensions);
  std::vector<float> values(all.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = Uniform({seed, 99, 0}, i);
  return FromHost(context, values, all);
}

Graph SmallLeNet() {
  zoo::LeNet5Options options;
  options.conv1_channels = 4;
  options.conv2_channels = 6;
  options.fc1_features = 8;
  return zoo::LeNet5(options);
}

// A residual block with padding, an average pool, and a first layer without relu: signed activations.
Graph Residual() {
  GraphBuilder b("residual");
  std::string x = b.Input({6, 6, 2});
  x = b.Node("stem", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}});
  const std::string relu0 = b.Node("relu0", "relu", {x});
  std::string y = b.Node("conv1", "conv2d", {relu0}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}});
  y = b.Node("linear_conv", "conv2d", {y}, {{"channels", 4}, {"kernel", 1}});
  y = b.Node("sum", "add", {y, relu0});
  y = b.Node("relu1", "relu", {y});
  y = b.Node("pool", "average_pool", {y});
  y = b.Node("flatten", "flatten", {y});
  b.Node("fc", "linear", {y}, {{"channels", 3}});
  return b.Build();
}

void SetGates(Network& network, const std::string& part_name, const std::vector<float>& values) {
  const Tensor part = network.StateTensors().at(part_name);
  CopyInto(network.context(), part, FromHost(network.context(), values, part.shape()));
}

// A method whose parameters have names of their own: the network must neither allocate nor restore weights for it.
class Renaming : public Method {
 public:
  explicit Renaming(const Graph& graph) : Method(QuantizationSites(graph)), inner_(MakeMethod(graph, Quantizer())) {}
  std::vector<ParameterDeclaration> Declare() const override {
    auto all = inner_->Declare();
    for (ParameterDeclaration& declaration : all) declaration.name += "/planes";
    return all;
  }
  void Bind(Context& context, const std::vector<Parameter*>& p) override { inner_->Bind(context, p); }
  void FromFloat(Context& context, int site, const Tensor& w, const Tensor& gain) override {
    inner_->FromFloat(context, site, w, gain);
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
  Tensor Penalty(Context& context) override { return inner_->Penalty(context); }
  std::vector<SiteState> States(Context& context) override { return inner_->States(context); }
  Fixed Freeze(Context& context, int site) override { return inner_->Freeze(context, site); }
  Tensor FloatWeight(Context& context, int site) override { return inner_->FloatWeight(context, site); }
  std::string SaveState() const override { return inner_->SaveState(); }
  void LoadState(const std::string& state) override { inner_->LoadState(state); }

 private:
  std::unique_ptr<Method> inner_;
};

TEST(Network, AMethodNamesItsOwnParameters) {
  testing::TestContext context;
  Network network(context, SmallLeNet(), std::make_unique<Renaming>(SmallLeNet()), 11);
  Network plain(context, SmallLeNet(), Quantizer(), 11);
  EXPECT_THROW(network.parameter("conv1/weight"), Error);
  EXPECT_NO_THROW(network.parameter("conv1/weight/planes"));
  const Tensor images = Images(context, 4, {28, 28, 1});
  for (Network* each : {&network, &plain}) each->Forward(images, Mode::kTrain, {1, 0, 0}), each->Freeze();
  EXPECT_EQ(ToHost<float>(context, network.Forward(images, Mode::kEvaluate).logits),
            ToHost<float>(context, plain.Forward(images, Mode::kEvaluate).logits));
}

TEST(Layers, EveryKindOfTheGraphRuns) {
  for (const std::string& kind : LayerKindNames()) EXPECT_NO_THROW(FindLayerForward(kind)) << kind;
  EXPECT_THROW(FindLayerForward("no_such_kind"), Error);
}

TEST(Network, InitialisesFromTheSeedWithinItsBounds) {
  testing::TestContext context;
  Network a(context, SmallLeNet(), Quantizer(), 7), b(context, SmallLeNet(), Quantizer(), 7),
      c(context, SmallLeNet(), Quantizer(), 8);
  const auto values = ToHost<float>(context, a.parameter("conv2/weight").value);
  EXPECT_EQ(values, ToHost<float>(context, b.parameter("conv2/weight").value));
  EXPECT_NE(values, ToHost<float>(context, c.parameter("conv2/weight").value));
  float greatest = 0;
  for (float value : values) greatest = std::max(greatest, std::fabs(value));
  EXPECT_LE(greatest, 0.1f);  // fan_in 4 * 25
  EXPECT_GT(greatest, 0.09f);
  EXPECT_THROW(a.parameter("nothing"), Error);
}

TEST(Network, QuantizesFromTheFirstBatchOn) {
  testing::TestContext context;
  Network network(context, SmallLeNet(), Quantizer(), 7);
  const Tensor images = Images(context, 5, {28, 28, 1});
  EXPECT_THROW(network.Forward(images, Mode::kEvaluate), Error) << "evaluation must not decide ranges";
  network.Forward(images, Mode::kTrain);
  const Tensor logits = network.Forward(images, Mode::kEvaluate).logits;
  EXPECT_EQ(logits.shape(), Shape({5, 10}));
  for (const auto& [name, state] : network.States()) EXPECT_EQ(state.bits, 32) << name;
  EXPECT_EQ(ToHost<float>(context, logits), ToHost<float>(context, network.Forward(images, Mode::kEvaluate).logits));
  try {
    network.Forward(Images(context, 5, {27, 28, 1}), Mode::kEvaluate);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "network lenet5: expected images of shape [5, 28, 28, 1], got [5, 27, 28, 1]");
  }
}

TEST(Network, WideOpenGatesComputeTheFloatNetwork) {
  testing::TestContext context;
  for (const Graph& graph : {SmallLeNet(), Residual()}) {
    Network quantized(context, graph, Quantizer(), 7), plain(context, graph, Quantizer("float"), 7);
    const Tensor images = Images(context, 8, graph.input_shape());
    quantized.Forward(images, Mode::kTrain);
    const auto a = ToHost<float>(context, quantized.Forward(images, Mode::kEvaluate).logits);
    const auto b = ToHost<float>(context, plain.Forward(images, Mode::kEvaluate).logits);
    // beta = max w clips what is more negative than -max w; else 32 bits are the value itself.
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 0.02) << graph.name();
  }
}

TEST(Network, EveryParameterGetsAGradient) {
  testing::TestContext context;
  for (const Graph& graph : {SmallLeNet(), Residual()}) {
    Network network(context, graph, Quantizer(), 3);
    for (const auto& [name, tensor] : network.StateTensors()) {
      if (name.find("gates") == std::string::npos) continue;
      CopyInto(context, tensor, FromHost(context, std::vector<float>(tensor.size(), 0.5f), tensor.shape()));
    }
    Tape tape;
    network.Watch(tape);
    Tensor loss;
    {
      Recording recording(context, tape);
      const ForwardResult result = network.Forward(Images(context, 4, graph.input_shape()), Mode::kTrain, {1, 0, 2});
      const Tensor labels = FromHost<int32_t>(context, {0, 1, 2, 0}, {4});
      loss = Add(context, SoftmaxCrossEntropy(context, result.logits, labels), result.penalty);
    }
    tape.Backward(context, loss);
    for (Parameter* parameter : network.parameters()) {
      const Tensor gradient = tape.Gradient(parameter->value);
      ASSERT_TRUE(gradient.defined()) << parameter->declaration.name;
      double sum = 0;
      for (float g : ToHost<float>(context, gradient)) sum += std::fabs(g);
      EXPECT_GT(sum, 0) << parameter->declaration.name;
    }
  }
}

TEST(Network, NoiseIsAFunctionOfSeedAndStep) {
  testing::TestContext context;
  Network network(context, SmallLeNet(), Quantizer(), 3);
  SetGates(network, "conv1/weight/gates", {0.5f, 0.5f, 0.5f, 0.5f});
  const Tensor images = Images(context, 2, {28, 28, 1});
  const auto run = [&](uint64_t step) {
    return ToHost<float>(context, network.Forward(images, Mode::kTrain, {5, 0, step}).logits);
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

TEST(Freeze, KeepsTheDecisionAndNearlyTheLogits) {
  testing::TestContext context;
  Network network(context, SmallLeNet(), Quantizer(), 11);
  const Tensor images = Images(context, 16, {28, 28, 1});
  EXPECT_THROW(network.Freeze(), Error) << "no activation has seen data";
  network.Forward(images, Mode::kTrain, {1, 0, 0});
  SetGates(network, "conv1/weight/gates", {6, 6, -6, -6});
  SetGates(network, "conv1/weight/channel_gates", {6, -6, 6, -6});
  SetGates(network, "conv2/weight/gates", {6, -6, 6, 6});
  SetGates(network, "fc1/weight/gates", {6, 6, 6, -6});
  SetGates(network, "conv1/output/gates", {6, 6, -6, -6});
  SetGates(network, "conv2/output/gates", {-6, 6, 6, 6});
  const SiteStates before = network.States();
  EXPECT_EQ(before.at("conv1/weight").bits, 8);
  EXPECT_EQ(before.at("conv1/weight").kept_channels, 2);
  EXPECT_EQ(before.at("conv2/weight").bits, 4);
  EXPECT_EQ(before.at("fc1/weight").bits, 16);
  EXPECT_EQ(before.at("conv2/output").bits, 2);
  const auto logits = ToHost<float>(context, network.Forward(images, Mode::kEvaluate).logits);
  const FreezeReport report = network.Freeze();
  EXPECT_TRUE(network.frozen());
  for (const FrozenSite& site : report.sites) {
    EXPECT_EQ(site.bits, before.at(site.name).bits);
    EXPECT_LE(site.changed_codes, site.codes / 100) << site.name;
  }
  for (const auto& [name, state] : network.States()) {
    EXPECT_EQ(state.bits, before.at(name).bits) << name;
    EXPECT_EQ(state.kept_channels, before.at(name).kept_channels) << name;
  }
  const auto frozen = ToHost<float>(context, network.Forward(images, Mode::kEvaluate).logits);
  for (size_t i = 0; i < logits.size(); ++i) EXPECT_NEAR(frozen[i], logits[i], 1e-2);
  EXPECT_THROW(network.Freeze(), Error) << "twice";
}

TEST(Freeze, ConstantsBeforePaddingBecomeZero) {
  testing::TestContext context;
  Network network(context, Residual(), Quantizer(), 5);
  const Tensor images = Images(context, 4, {6, 6, 2});
  network.Forward(images, Mode::kTrain, {1, 0, 0});
  SetGates(network, "stem/weight/channel_gates", {6, -6, 6, 6});
  const FreezeReport report = network.Freeze();
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("stem: constants of 1 pruned channels"), std::string::npos);
  EXPECT_EQ(ToHost<float>(context, network.parameter("stem/bias").value)[1], 0.0f);
  EXPECT_NE(ToHost<float>(context, network.parameter("stem/bias").value)[0], 0.0f);
  Tape tape;
  network.Watch(tape);
  Tensor loss;
  {
    Recording recording(context, tape);
    const Tensor labels = FromHost<int32_t>(context, {0, 1, 2, 0}, {4});
    loss = SoftmaxCrossEntropy(context, network.Forward(images, Mode::kTrain, {1, 0, 1}).logits, labels);
  }
  tape.Backward(context, loss);
  EXPECT_EQ(ToHost<float>(context, tape.Gradient(network.parameter("stem/bias").value))[1], 0.0f);
}

TEST(Network, StateRestoresExactlyFrozenOrNot) {
  testing::TestContext context;
  const Tensor images = Images(context, 4, {28, 28, 1});
  for (bool freeze : {false, true}) {
    Network network(context, SmallLeNet(), Quantizer(), 11), other(context, SmallLeNet(), Quantizer(), 12);
    network.Forward(images, Mode::kTrain, {1, 0, 0});
    SetGates(network, "conv1/weight/channel_gates", {6, -6, 6, -6});
    if (freeze) network.Freeze();
    other.Load(network.StateTensors(), network.SaveState());
    EXPECT_EQ(other.frozen(), freeze);
    EXPECT_EQ(other.SaveState(), network.SaveState());
    EXPECT_EQ(ToHost<float>(context, other.Forward(images, Mode::kEvaluate).logits),
              ToHost<float>(context, network.Forward(images, Mode::kEvaluate).logits));
  }
}

TEST(Network, LoadNamesWhatDoesNotFit) {
  testing::TestContext context;
  Network network(context, SmallLeNet(), Quantizer(), 11);
  const auto state = network.SaveState();
  auto tensors = network.StateTensors();
  const auto expect = [&](const std::string& part) {
    try {
      network.Load(tensors, state);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  tensors.erase("conv1/bias");
  expect("expected a tensor conv1/bias[4], got none");
  tensors["conv1/bias"] = Zeros(context, {5});
  expect("expected conv1/bias[4] in float32, got float32[5]");
  tensors = network.StateTensors();
  tensors["extra"] = Zeros(context, {1});
  expect("expected no tensor extra");
  for (float value : {-1.0f, 0.0f, std::numeric_limits<float>::infinity(), std::nanf("")}) {
    tensors = network.StateTensors();
    tensors["conv1/weight/range"] = FromHost<float>(context, {value}, {1});
    expect("expected finite values of conv1/weight/range in [1e-06, inf]");
  }
  EXPECT_THROW(network.Load(network.StateTensors(), "{"), Error);
  std::string deep;
  for (int i = 0; i < 200000; ++i) deep += '[';
  for (int i = 0; i < 200000; ++i) deep += ']';
  const std::string flags = R"({"frozen":true,"method":"[{\"encoding\":)" + deep + R"(}]"})";
  EXPECT_THROW(network.Load(network.StateTensors(), flags), Error);
  EXPECT_THROW(network.Load(network.StateTensors(), R"({"frozen":true,"method":"[]"})"), Error);
}

}  // namespace
}  // namespace bitgate
