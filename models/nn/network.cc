#include "models/nn/network.h"

#include <algorithm>
#include <cmath>

#include "models/nn/layer_call.h"
#include "ops/elementwise/elementwise.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr uint32_t kInitialStream = 0x494E4954;  // "INIT": uniform draws of weights and biases; step = parameter

// Uniform in +-1/sqrt(fan_in), the usual default (He et al.'s with a = sqrt(5)).
std::vector<float> InitialValues(const ParameterSpec& spec, uint64_t seed, uint64_t ordinal) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(spec.fan_in));
  std::vector<float> values(static_cast<size_t>(ElementCount("network", spec.shape)));
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
    : context_(context), graph_(graph), method_(std::move(method)) {
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
      ParameterDeclaration declaration;
      declaration.name = node.name + "/" + spec.suffix;
      declaration.shape = Shape(spec.shape);
      if (spec.suffix != "weight" || !HasWeightSite(node.index)) allocate(declaration);
    }
  }
  PlanSteps();
}

bool Network::HasWeightSite(int node) const {
  const std::vector<Site>& sites = method_->sites();
  return std::any_of(sites.begin(), sites.end(),
                     [&](const Site& site) { return site.role == Role::kWeight && site.node == node; });
}

void Network::Initialise(uint64_t seed) {
  uint64_t ordinal = 0;
  for (const Node& node : graph_.nodes()) {
    for (const ParameterSpec& spec : node.spec.parameters) {
      const Tensor values = FromHost(context_, InitialValues(spec, seed, ordinal++), Shape(spec.shape));
      const Step& step = steps_[node.index];
      if (spec.suffix == "weight" && step.weight_site >= 0) {
        method_->FromFloat(context_, step.weight_site, values);
      } else {
        CopyInto(context_, parameter(node.name + "/" + spec.suffix).value, values);
      }
    }
  }
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
    if (step.weight_site < 0) step.weight = FindParameter(node.name + "/weight");
    if (node.kind->traits().is_nonlinearity) PlanRelu(node.index);
    for (int input : node.inputs) {
      const bool last = input != kNetworkInput && graph_.consumers(input).back() == node.index;
      if (last) step.last_uses.push_back(input);
    }
  }
}

// A relu costs nothing where the quantizer behind it clips at zero anyway, or where the layer before it can do it.
void Network::PlanRelu(int relu) {
  Step& step = steps_[relu];
  if (step.output_site >= 0 && method_->AbsorbsRelu(step.output_site)) {
    step.skip = true;
    return;
  }
  const int input = graph_.node(relu).inputs[0];
  if (input == kNetworkInput || graph_.consumers(input).size() != 1 || steps_[input].output_site >= 0) return;
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
  for (Parameter* parameter : parameter_list_) tape.Watch(parameter->value);
}

Tensor Network::RunStep(int index, const Prepared& prepared, std::vector<Tensor>& values) {
  const Step& step = steps_[index];
  const Node& node = graph_.node(index);
  LayerCall call{context_, node, {}, {}, {}, step.fuse_relu ? Activation::kRelu : Activation::kNone};
  for (int input : node.inputs) call.inputs.push_back(values[input + 1]);
  if (step.weight_site >= 0) {
    call.weight = method_->Weight(context_, prepared, step.weight_site);
  } else if (step.weight != nullptr) {
    call.weight = step.weight->value;
  }
  if (step.bias != nullptr) {
    call.bias = step.bias_mask.defined() ? Mul(context_, step.bias->value, step.bias_mask) : step.bias->value;
  }
  const Tensor y = step.skip ? call.inputs[0] : step.forward->run(call);
  return step.output_site < 0 ? y : method_->Activation(context_, prepared, step.output_site, y);
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
    values[i + 1] = RunStep(static_cast<int>(i), *prepared, values);
    for (int done : steps_[i].last_uses) values[done + 1] = Tensor();
  }
  ForwardResult result;
  result.logits = values[graph_.output() + 1];
  if (mode == Mode::kTrain) result.penalty = method_->Penalty(context_);
  return result;
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
