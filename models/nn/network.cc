#include "models/nn/network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/nn/exact_sums.h"
#include "models/nn/layer_call.h"
#include "ops/elementwise/elementwise.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/norm.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr uint32_t kInitialStream = 0x494E4954;  // "INIT": uniform draws of weights and biases; step = parameter

// Uniform in +-1/sqrt(fan_in), the usual default (He et al.'s with a = sqrt(5)).
std::vector<float> InitialValues(const ParameterSpec& spec, uint64_t seed, uint64_t ordinal) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(spec.fan_in));
  std::vector<float> values(static_cast<size_t>(ElementCount("network", spec.shape)), spec.initial.value_or(0));
  if (spec.initial) return values;
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = bound * (2.0f * Uniform({seed, kInitialStream, ordinal}, i) - 1.0f);
  }
  return values;
}

// How many elements of the one buffer a parameter takes: whole cache lines, or none for a weight.
int64_t PlaceAmongScalars(const ParameterDeclaration& declaration) {
  if (declaration.group == ParameterGroup::kWeights) return 0;
  constexpr int64_t kLine = 16;
  return (declaration.shape.size() + kLine - 1) / kLine * kLine;
}

}  // namespace

Network::Network(Context& context, const Graph& graph, const QuantizerConfig& quantizer, uint64_t seed)
    : Network(context, graph, MakeMethod(graph, quantizer), seed) {}

Network::Network(Context& context, const Graph& graph, std::unique_ptr<Method> method, uint64_t seed)
    : context_(context), source_(graph), graph_(graph), method_(std::move(method)) {
  AllocateParameters();
  Initialise(seed);
}

Network::~Network() = default;

// The method's parameters first, then what no site covers: biases, and weights of layers left in float. Gates and
// ranges lie in one buffer.
void Network::AllocateParameters() {
  owned_.clear();
  parameter_list_.clear();
  const std::vector<ParameterDeclaration> declarations = method_->Declare();
  int64_t scalars = 0;
  for (const ParameterDeclaration& declaration : declarations) scalars += PlaceAmongScalars(declaration);
  const Tensor buffer = Zeros(context_, {scalars});
  int64_t next = 0;
  const auto allocate = [&](const ParameterDeclaration& declaration) {
    const int64_t place = PlaceAmongScalars(declaration);
    const Tensor part = SliceView(buffer, 0, next, next + (place > 0 ? declaration.shape.size() : 0));
    next += place;
    const Tensor value = place > 0 ? ReshapeView(part, declaration.shape) : Zeros(context_, declaration.shape);
    owned_.push_back(std::make_unique<Parameter>(Parameter{declaration, value}));
    parameter_list_.push_back(owned_.back().get());
    return owned_.back().get();
  };
  std::vector<Parameter*> of_method;
  for (const ParameterDeclaration& declaration : declarations) of_method.push_back(allocate(declaration));
  method_->Bind(context_, of_method);
  for (const Node& node : graph_.nodes()) {
    for (const ParameterSpec& spec : node.spec.parameters) {
      if (OwnsParameter(node.index, spec.suffix)) continue;
      ParameterDeclaration declaration;
      declaration.name = node.name + "/" + spec.suffix;
      declaration.shape = Shape(spec.shape);
      declaration.learned = spec.learned;
      declaration.low = spec.low;
      allocate(declaration);
    }
  }
  PlanSteps();
}

int Network::WeightSite(int node) const {
  const std::vector<Site>& sites = method_->sites();
  for (size_t i = 0; i < sites.size(); ++i) {
    if (sites[i].role == Role::kWeight && sites[i].node == node) return static_cast<int>(i);
  }
  return -1;
}

bool Network::OwnsParameter(int node, const std::string& suffix) const {
  const int site = WeightSite(node);
  return site >= 0 && (suffix == "weight" || (suffix == "bias" && method_->OwnsBias(site)));
}

// Backwards, so that a layer's weight finds the batch norm behind it initialised.
void Network::Initialise(uint64_t seed) {
  uint64_t ordinal = 0;
  for (const Node& node : graph_.nodes()) ordinal += node.spec.parameters.size();
  for (auto node = graph_.nodes().rbegin(); node != graph_.nodes().rend(); ++node) {
    for (auto spec = node->spec.parameters.rbegin(); spec != node->spec.parameters.rend(); ++spec) {
      const Tensor values = FromHost(context_, InitialValues(*spec, seed, --ordinal), Shape(spec->shape));
      SetFloat(node->index, spec->suffix, values);
    }
  }
}

void Network::SetFloat(int node, const std::string& suffix, const Tensor& value) {
  const Step& step = steps_.at(node);
  if (!OwnsParameter(node, suffix)) {
    CopyInto(context_, parameter(graph_.node(node).name + "/" + suffix).value, value);
  } else if (suffix == "weight") {
    method_->FromFloat(context_, step.weight_site, value, GainOf(step));
  } else {
    method_->BiasFromFloat(context_, step.weight_site, value);
  }
  ++revision_;
}

Tensor Network::Float(int node, const std::string& suffix) {
  const Step& step = steps_.at(node);
  if (!OwnsParameter(node, suffix)) return parameter(graph_.node(node).name + "/" + suffix).value.Detached();
  if (suffix == "weight") return method_->FloatWeight(context_, step.weight_site).Detached();
  return method_->Bias(context_, *method_->Begin(context_, Mode::kEvaluate, {}, {}), step.weight_site).Detached();
}

void Network::PlanSteps() {
  steps_.assign(graph_.nodes().size(), Step());
  const std::vector<Site>& sites = method_->sites();
  for (size_t i = 0; i < sites.size(); ++i) {
    Step& step = steps_[sites[i].node];
    (sites[i].role == Role::kWeight ? step.weight_site : step.output_site) = static_cast<int>(i);
  }
  for (const Node& node : graph_.nodes()) {
    Step& step = steps_[node.index];
    step.forward = &FindLayerForward(node.kind->name());
    step.bias = FindParameter(node.name + "/bias");
    step.bias_of_method = OwnsParameter(node.index, "bias");
    if (step.weight_site < 0) step.weight = FindParameter(node.name + "/weight");
    if (node.kind->traits().has_weight) {
      step.input_site = SiteOfValues(node.inputs[0]);
      step.terms = node.spec.parameters[0].fan_in;
    }
    if (graph_.NormBehind(node.index) != kNoNode) PlanNorm(node.index);
    if (node.kind->traits().is_normalization) step.skip = true;
    if (node.kind->traits().is_nonlinearity) PlanRelu(node.index);
    for (int input : node.inputs) {
      const bool last = input != kNetworkInput && graph_.consumers(input).back() == node.index;
      if (last) step.last_uses.push_back(input);
    }
  }
}

int Network::SiteOfValues(int tensor) const {
  while (tensor != kNetworkInput && steps_[tensor].output_site < 0) {
    if (!steps_[tensor].forward->keeps_multiples) return -1;
    tensor = graph_.node(tensor).inputs[0];
  }
  return tensor == kNetworkInput ? -1 : steps_[tensor].output_site;
}

OperandSteps Network::StepsOf(const Step& step) {
  const bool rounds = context_.compute() == Compute::kBfloat16 && context_.device().type == DeviceType::kCpu;
  if (!rounds || step.weight_site < 0 || step.input_site < 0) return {};
  const CodeGrid input = method_->Grid(context_, step.input_site), weight = method_->Grid(context_, step.weight_site);
  const OperandSteps steps{input.step, weight.step};
  const bool exact = steps.usable() && SumsAreExactInBfloat16(step.terms, input.largest, weight.largest);
  return exact ? steps : OperandSteps{};
}

void Network::PlanNorm(int layer) {
  const Node& node = graph_.node(graph_.NormBehind(layer));
  const auto parameter = [&](const char* suffix) { return FindParameter(node.name + "/" + suffix); };
  const bool folds = steps_[layer].weight_site >= 0 && method_->norm_folding() != NormFolding::kNone;
  steps_[layer].norm = Norm{parameter("gamma"),
                            parameter("beta"),
                            parameter("running_mean"),
                            parameter("running_variance"),
                            static_cast<float>(node.attributes.epsilon()),
                            static_cast<float>(node.attributes.momentum()),
                            folds};
}

// A relu costs nothing where the quantizer behind it clips at zero anyway, or where the layer before it can do it.
void Network::PlanRelu(int relu) {
  Step& step = steps_[relu];
  if (step.output_site >= 0 && method_->AbsorbsRelu(step.output_site)) {
    step.skip = true;
    return;
  }
  int input = graph_.node(relu).inputs[0];
  if (input == kNetworkInput || graph_.consumers(input).size() != 1 || steps_[input].output_site >= 0) return;
  if (graph_.node(input).kind->traits().is_normalization) input = graph_.node(input).inputs[0];
  if (!FindLayerForward(graph_.node(input).kind->name()).fuses_activation) return;
  steps_[input].fuse_relu = true;
  step.skip = true;
}

Parameter* Network::FindParameter(const std::string& name) {
  for (Parameter* parameter : parameter_list_) {
    if (parameter->declaration.name == name) return parameter;
  }
  return nullptr;
}

Parameter& Network::parameter(const std::string& name) {
  Parameter* found = FindParameter(name);
  if (found == nullptr) throw NotFound("network ", graph_.name(), ": no parameter ", name);
  return *found;
}

void Network::Watch(Tape& tape) {
  for (Parameter* parameter : parameter_list_) {
    if (parameter->declaration.learned) tape.Watch(parameter->leaf());
  }
}

Tensor Network::GainOf(const Norm& norm) {
  return FoldedGain(context_, norm.gamma->value, norm.running_variance->value, norm.epsilon);
}

Tensor Network::GainOf(const Step& step) { return step.norm && step.norm->folds ? GainOf(*step.norm) : Tensor(); }

Tensor Network::ShiftOf(const Norm& norm) {
  return FoldedShift(context_, norm.gamma->value, norm.beta->value, norm.running_mean->value,
                     norm.running_variance->value, norm.epsilon);
}

Tensor Network::RunStep(int index, Mode mode, const Prepared& prepared, std::vector<Tensor>& values) {
  const Step& step = steps_[index];
  const Node& node = graph_.node(index);
  LayerCall call{context_, node, {}, {}, {}, step.fuse_relu ? Activation::kRelu : Activation::kNone, StepsOf(step)};
  for (int input : node.inputs) call.inputs.push_back(values[input + 1]);
  if (step.weight_site >= 0) {
    call.weight = method_->Weight(context_, prepared, step.weight_site, GainOf(step));
  } else if (step.weight != nullptr) {
    call.weight = step.weight->value;
  }
  if (step.bias_of_method) {
    call.bias = method_->Bias(context_, prepared, step.weight_site);
  } else if (step.bias != nullptr) {
    call.bias = step.bias_mask.defined() ? Mul(context_, step.bias->value, step.bias_mask) : step.bias->value;
  }
  Tensor y;
  if (step.skip) {
    y = call.inputs[0];
  } else if (!step.norm) {
    y = step.forward->run(call);
  } else {
    y = step.norm->folds ? RunFolded(step, mode, prepared, std::move(call))
                         : RunNormalised(step, mode, std::move(call));
  }
  return step.output_site < 0 ? y : method_->Activation(context_, prepared, step.output_site, y);
}

// Convolution, then batch norm.
Tensor Network::RunNormalised(const Step& step, Mode mode, LayerCall call) {
  const Norm& norm = *step.norm;
  const Activation activation = std::exchange(call.activation, Activation::kNone);
  const BatchNormParams params{mode == Mode::kTrain, norm.momentum, norm.epsilon, activation};
  return BatchNorm(context_, step.forward->run(call), norm.gamma->value, norm.beta->value, norm.running_mean->value,
                   norm.running_variance->value, params);
}

// The weight has the gain in it already: what is left is a shift, and in training the batch's statistics.
Tensor Network::RunFolded(const Step& step, Mode mode, const Prepared& prepared, LayerCall call) {
  const Norm& norm = *step.norm;
  if (mode != Mode::kTrain) {
    call.bias = ShiftOf(norm);
    return step.forward->run(call);
  }
  const Activation activation = std::exchange(call.activation, Activation::kNone);
  const Tensor y = step.forward->run(call);
  const Tensor &gamma = norm.gamma->value, &beta = norm.beta->value;
  const Tensor &mean = norm.running_mean->value, &variance = norm.running_variance->value;
  const NormFolding folding = method_->norm_folding();
  Tensor statistics;  // of the float layer
  if (folding != NormFolding::kQuantizedStatistics) {
    call.weight = method_->FloatWeight(context_, step.weight_site);
    if (folding == NormFolding::kDetachedStatistics) {
      call.weight = call.weight.Detached();
      call.inputs[0] = call.inputs[0].Detached();
    }
    statistics = ChannelStatistics(context_, step.forward->run(call));
  }
  if (folding != NormFolding::kFloatStatistics) {
    const Tensor gates = method_->ChannelGates(context_, prepared, step.weight_site);
    return FoldedBatchNormOfResult(context_, y, gamma, beta, gates, mean, variance,
                                   {norm.momentum, norm.epsilon, activation, statistics});
  }
  const Tensor result = FoldedBatchNorm(context_, y, statistics, gamma, beta, variance, {norm.epsilon, activation});
  UpdateRunningStatistics(context_, mean, variance, statistics, y.size() / gamma.size(), norm.momentum);
  return result;
}

ForwardResult Network::Forward(const Tensor& images, Mode mode, const StepKey& key, const Tensor& noise) {
  std::vector<int64_t> expected = {images.shape().rank() > 0 ? images.shape()[0] : 0};
  expected.insert(expected.end(), graph_.input_shape().begin(), graph_.input_shape().end());
  if (images.shape() != Shape(expected)) {
    throw InvalidArgument("network ", graph_.name(), ": expected images of shape ", Shape(expected), ", got ",
                          images.shape());
  }
  const std::unique_ptr<Prepared> prepared = method_->Begin(context_, mode, key, noise);
  std::vector<Tensor> values(graph_.nodes().size() + 1);  // [0]: the input; [i + 1]: node i
  values[0] = images;
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    values[i + 1] = RunStep(static_cast<int>(i), mode, *prepared, values);
    for (int done : steps_[i].last_uses) values[done + 1] = Tensor();
  }
  ForwardResult result;
  result.logits = values[graph_.output() + 1];
  if (mode == Mode::kTrain) result.penalty = method_->Penalty(context_);
  return result;
}

RequantizeReport Network::Requantize() {
  if (frozen_) throw FailedPrecondition("requantize: network ", graph_.name(), " is frozen");
  ++revision_;
  return method_->Requantize(context_);
}

SiteStates Network::States() {
  SiteStates states;
  const std::vector<SiteState> by_site = method_->States(context_);
  for (size_t i = 0; i < by_site.size(); ++i) states[method_->sites()[i].name] = by_site[i];
  return states;
}

std::map<std::string, Tensor> Network::StateTensors() {
  std::map<std::string, Tensor> tensors;
  for (const Parameter* parameter : parameter_list_) {
    const Tensor value = parameter->value.Detached();
    const ParameterDeclaration& declaration = parameter->declaration;
    if (declaration.parts.empty() && value.size() > 0) tensors[declaration.name] = value;
    const Tensor flat = ReshapeView(value, {value.size()});
    for (const ParameterPart& part : declaration.parts) {
      tensors[part.name] = ReshapeView(SliceView(flat, 0, part.offset, part.offset + part.shape.size()), part.shape);
    }
  }
  return tensors;
}

}  // namespace bitgate
