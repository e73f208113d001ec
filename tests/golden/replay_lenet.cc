// bb_lenet_small_*: a narrow LeNet-5 through graph, method and network: one training step and the evaluation.
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/nn/network.h"
#include "models/zoo/lenet5.h"
#include "ops/elementwise/elementwise.h"
#include "ops/loss/loss.h"
#include "ops/optim/optim.h"
#include "runtime/base/error.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"
#include "tests/golden/golden_file.h"

namespace bitgate::golden {
namespace {

// "conv1.weight_quantizer" <-> "conv1/weight", "conv1.activation_quantizer" <-> "conv1/output"
std::string GoldenQuantizer(const std::string& site) {
  const size_t slash = site.find('/');
  return site.substr(0, slash) + (site.substr(slash) == "/weight" ? ".weight_quantizer" : ".activation_quantizer");
}

// A parameter of the file in our layout: OIHW -> OHWI, and fc1's inputs from CHW to HWC.
std::vector<float> Ours(const GoldenFile& file, const std::string& prefix, const std::string& name,
                        const Shape& flatten) {
  testing::TestContext context;
  const std::string key = prefix + "/" + name;
  const Tensor tensor = FromHost(context, file.Floats(key), file.ShapeOf(key));
  if (tensor.shape().rank() == 4) return ToHost<float>(context, PermuteView(tensor, {0, 2, 3, 1}));
  if (tensor.shape().rank() == 2 && tensor.shape()[1] == flatten.size()) {
    const Shape chw{tensor.shape()[0], flatten[2], flatten[0], flatten[1]};
    return ToHost<float>(context, PermuteView(ReshapeView(tensor, chw), {0, 2, 3, 1}));
  }
  return ToHost<float>(context, tensor);
}

// A named piece of a file in our network's order: what Network::StateTensors calls `name`.
std::vector<float> OursByName(const GoldenFile& file, const std::string& prefix, const std::string& name,
                              const Shape& flatten) {
  const auto ends = [&](const std::string& end) {
    return name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  const auto site = [&](size_t end) { return prefix + "/" + GoldenQuantizer(name.substr(0, name.size() - end)); };
  if (ends("/range")) return file.Floats(site(6) + ".beta");
  if (ends("/channel_gates")) return file.Floats(site(14) + ".phi_2");
  if (ends("/gates")) {
    std::vector<float> all;
    for (const char* level : {"4", "8", "16", "32"}) all.push_back(file.Floats(site(6) + ".phi_" + level).at(0));
    return all;
  }
  std::string golden = name;
  golden.replace(golden.find('/'), 1, ".");
  return Ours(file, prefix, golden, flatten);
}

// Passes everything on to the method under test, and notes sum |grad| at each quantizer's output.
class Spy : public Method {
 public:
  explicit Spy(std::unique_ptr<Method> inner) : Method(inner->sites()), inner_(std::move(inner)) {}
  std::vector<ParameterDeclaration> Declare() const override { return inner_->Declare(); }
  void Bind(Context& context, const std::vector<Parameter*>& p) override { inner_->Bind(context, p); }
  void FromFloat(Context& context, int site, const Tensor& w, const Tensor& gain) override {
    inner_->FromFloat(context, site, w, gain);
  }
  std::unique_ptr<Prepared> Begin(Context& context, Mode mode, const StepKey& key, const Tensor& noise) override {
    return inner_->Begin(context, mode, key, noise);
  }
  int64_t noise_size() const override { return inner_->noise_size(); }
  Tensor Weight(Context& context, const Prepared& prepared, int site, const Tensor& gain) override {
    return Watched(context, site, inner_->Weight(context, prepared, site, gain));
  }
  Tensor Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) override {
    return Watched(context, site, inner_->Activation(context, prepared, site, x));
  }
  bool AbsorbsRelu(int site) const override { return inner_->AbsorbsRelu(site); }
  Tensor Penalty(Context& context) override { return inner_->Penalty(context); }
  std::vector<SiteState> States(Context& context) override { return inner_->States(context); }
  Fixed Freeze(Context& context, int site) override { return inner_->Freeze(context, site); }
  Tensor FloatWeight(Context& context, int site) override { return inner_->FloatWeight(context, site); }
  std::string SaveState() const override { return inner_->SaveState(); }
  void LoadState(const std::string& state) override { inner_->LoadState(state); }

  std::map<std::string, double> magnitude;  // sum |grad| by site

 private:
  Tensor Watched(Context& context, int site, const Tensor& x) {
    Tensor y = x.Detached();
    RecordOp(context, {&x}, y, [this, site](Context& context, const Tensor& grad, GradientSink& sink) {
      for (float g : ToHost<float>(context, grad)) magnitude[sites()[site].name] += std::fabs(g);
      sink.Set(0, grad);
    });
    return y;
  }

  std::unique_ptr<Method> inner_;
};

void LoadParameters(Network& network, const GoldenFile& file, const Shape& flatten) {
  Context& context = network.context();
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, tensor] : network.StateTensors()) {
    tensors[name] = FromHost(context, OursByName(file, "param", name, flatten), tensor.shape());
  }
  nlohmann::json flags, state;
  for (const Site& site : network.method().sites()) {
    flags[site.name] = {{"calibrated", true}, {"signed", site.role == Role::kWeight}};
  }
  state["frozen"] = false;
  state["method"] = flags.dump();
  network.Load(tensors, state.dump());
}

// The file's noise in the order of the gates' parameters; gates that draw none keep 0.5.
Tensor Noise(Network& network, const GoldenFile& file) {
  std::vector<float> noise(network.method().noise_size(), 0.5f);
  std::map<std::string, size_t> drawn;
  for (const ParameterPart& part : network.parameter("gates").declaration.parts) {
    const std::string site = part.name.substr(0, part.name.rfind('/'));
    const auto u = file.Floats("u/" + GoldenQuantizer(site));
    size_t& next = drawn[site];
    for (int64_t i = 0; i < part.shape.size() && next < u.size(); ++i) noise[part.offset + i] = u[next++];
  }
  return FromHost(network.context(), noise, {network.method().noise_size()});
}

double AllowedGradient(const std::string& name) { return name.find("/range") != std::string::npos ? 2 : 512; }

void CheckGradients(Network& network, Tape& tape, Spy& spy, const GoldenFile& file, const Shape& flatten,
                    Comparison* comparison) {
  for (const Parameter* parameter : network.parameters()) {
    const auto grad = ToHost<float>(network.context(), tape.Gradient(parameter->value));
    std::vector<ParameterPart> parts = parameter->declaration.parts;
    if (parts.empty()) parts.push_back({parameter->declaration.name, 0, parameter->value.shape()});
    for (const ParameterPart& part : parts) {
      const std::vector<float> mine(grad.begin() + part.offset, grad.begin() + part.offset + part.shape.size());
      const bool range = AllowedGradient(part.name) == 2;
      const double scale = range ? spy.magnitude[part.name.substr(0, part.name.rfind('/'))] : 0;
      comparison->Check(range                                          ? "grad/range"
                        : part.name.find("gates") != std::string::npos ? "grad/gates"
                                                                       : "grad/weights",
                        mine, OursByName(file, "grad", part.name, flatten), AllowedGradient(part.name), scale);
    }
  }
}

// One Adam step from the file's own gradients: near zero ours could have the other sign.
void CheckAdam(Network& network, const GoldenFile& file, const Shape& flatten, Comparison* comparison) {
  Context& context = network.context();
  AdamOptions options;
  options.learning_rate = file.Number("lr");
  for (const auto& [name, tensor] : network.StateTensors()) {
    ParameterUpdate update;
    update.parameter = Clone(context, tensor);
    update.gradient = FromHost(context, OursByName(file, "grad", name, flatten), tensor.shape());
    update.first_moment = Zeros(context, tensor.shape());
    update.second_moment = Zeros(context, tensor.shape());
    AdamStep(context, {update}, options, 1);
    comparison->Check("adam_step", ToHost<float>(context, update.parameter),
                      OursByName(file, "adam_step", name, flatten), 2);
  }
}

}  // namespace

void ReplayLeNet(const GoldenFile& file, Comparison* comparison) {
  testing::TestContext context;
  zoo::LeNet5Options widths;
  widths.conv1_channels = file.ShapeOf("param/conv1.weight")[0];
  widths.conv2_channels = file.ShapeOf("param/conv2.weight")[0];
  widths.fc1_features = file.ShapeOf("param/fc1.weight")[0];
  const Graph graph = zoo::LeNet5(widths);
  const Shape flatten(graph.shape(graph.node("pool2").index));
  QuantizerConfig config;
  config.set_mu(file.Number("mu"));
  auto owned = std::make_unique<Spy>(MakeMethod(graph, config));
  Spy& spy = *owned;
  Network network(context, graph, std::move(owned), /*seed=*/0);
  LoadParameters(network, file, flatten);

  const Shape nchw = file.ShapeOf("images");
  const Tensor images = FromHost(context, file.Floats("images"), {nchw[0], nchw[2], nchw[3], nchw[1]});
  const Tensor labels = FromHost(context, file.Ints("labels"), {nchw[0]});
  Tape tape;
  network.Watch(tape);
  ForwardResult result;
  Tensor cross_entropy, loss;
  {
    Recording recording(context, tape);
    result = network.Forward(images, Mode::kTrain, {}, Noise(network, file));
    cross_entropy = SoftmaxCrossEntropy(context, result.logits, labels);
    loss = Add(context, cross_entropy, result.penalty);
  }
  tape.Backward(context, loss);
  comparison->Check("logits", ToHost<float>(context, result.logits), file.Floats("logits"), 16);
  comparison->Check("cross_entropy", ToHost<float>(context, cross_entropy), file.Floats("cross_entropy"), 16);
  comparison->Check("gate_loss", {static_cast<float>(ToHost<float>(context, result.penalty)[0] / config.mu())},
                    file.Floats("gate_loss"), 16);
  comparison->Check("loss", ToHost<float>(context, loss), file.Floats("loss"), 16);
  CheckGradients(network, tape, spy, file, flatten, comparison);
  CheckAdam(network, file, flatten, comparison);
  const Tensor eval_logits = network.Forward(images, Mode::kEvaluate).logits;
  comparison->Check("eval_logits", ToHost<float>(context, eval_logits), file.Floats("eval_logits"), 16);
}

}  // namespace bitgate::golden
