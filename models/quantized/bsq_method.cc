#include "models/quantized/bsq_method.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/graph/attributes.h"
#include "models/quantized/declare.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/reshape.h"
#include "ops/quant/bsq/bsq_activation.h"
#include "ops/quant/bsq/bsq_group_lasso.h"
#include "ops/quant/bsq/bsq_math.h"
#include "ops/quant/bsq/bsq_weight.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr int64_t kRows = 2 * kBsqMaxBits;
constexpr int kLeastRelu6Bits = 4;  // below, an activation's clip is learned (PACT, arXiv 1805.06085)
constexpr float kInitialClip = 10.0f;
constexpr float kEverywhere = 1e30f;  // a straight-through range that holds all weights, whatever it is stretched by

class PreparedMode : public Prepared {
 public:
  explicit PreparedMode(Mode mode) : mode(mode) {}
  Mode mode;
};

}  // namespace

BsqMethod::BsqMethod(const Graph& graph, const QuantizerConfig& config)
    : Method(QuantizationSites(graph)),
      config_(config),
      weight_of_(sites().size(), -1),
      bias_of_(sites().size(), -1),
      quantizes_(sites().size(), false),
      largest_(sites().size()) {
  const auto add = [&](const std::string& name, const Shape& shape) {
    tensors_.push_back({name, shape, config.initial_bits()});
    elements_ += shape.size();
    return static_cast<int>(tensors_.size()) - 1;
  };
  for (size_t i = 0; i < sites().size(); ++i) {
    const Site& site = sites()[i];
    const Node& layer = graph.node(site.layer);
    if (site.role == Role::kActivation) {
      const bool is_first = layer.kind->traits().has_weight && graph.ProducingLayer(layer.inputs[0]) == kNetworkInput;
      quantizes_[i] = config.activation_bits() > 0 && site.nonnegative && !is_first;
      continue;
    }
    weight_of_[i] = add(site.name, Shape(site.shape));
    for (const ParameterSpec& spec : layer.spec.parameters) {
      if (spec.suffix == "bias") bias_of_[i] = add(layer.name + "/bias", Shape(spec.shape));
    }
  }
}

bool BsqMethod::uses_clips() const {
  return config_.activation_bits() > 0 && config_.activation_bits() < kLeastRelu6Bits;
}

std::vector<ParameterDeclaration> BsqMethod::Declare() const {
  std::vector<ParameterDeclaration> all;
  ParameterDeclaration scales, clips = DeclareRanges(sites());
  scales.name = "scales";
  scales.shape = Shape{static_cast<int64_t>(tensors_.size())};
  scales.group = ParameterGroup::kRanges;
  scales.low = kLeastRange;
  for (const PlaneTensor& tensor : tensors_) {
    ParameterDeclaration planes;
    planes.name = tensor.name + "/planes";
    std::vector<int64_t> shape = {kRows};
    for (int i = 0; i < tensor.shape.rank(); ++i) shape.push_back(tensor.shape[i]);
    planes.shape = Shape(shape);
    planes.low = 0;
    planes.high = 2;
    all.push_back(planes);
    scales.parts.push_back({tensor.name + "/scale", static_cast<int64_t>(scales.parts.size()), Shape{1}});
  }
  all.push_back(scales);
  clips.name = "clips";
  for (ParameterPart& part : clips.parts) part.name = sites()[part.offset].name + "/clip";
  if (uses_clips()) all.push_back(clips);
  return all;
}

void BsqMethod::Bind(Context& context, const std::vector<Parameter*>& parameters) {
  context_ = &context;
  const int tensors = static_cast<int>(tensors_.size());
  scales_ = parameters.at(tensors_.size());
  CopyInto(context, scales_->value, FromHost(context, std::vector<float>(tensors_.size(), 1.0f), {tensors}));
  for (int i = 0; i < tensors; ++i) {
    PlaneTensor& tensor = tensors_[i];
    tensor.planes = parameters.at(i);
    tensor.planes->row = ReshapeView(SliceView(tensor.planes->value, 0, 0, 1), tensor.shape);
    SetBits(context, i, tensor.bits);
  }
  if (!uses_clips()) return;
  clips_ = parameters.at(tensors_.size() + 1);
  const std::vector<float> initial(sites().size(), kInitialClip);
  CopyInto(context, clips_->value, FromHost(context, initial, clips_->value.shape()));
}

void BsqMethod::SetBits(Context& context, int tensor, int bits) {
  tensors_[tensor].bits = bits;
  tensors_[tensor].planes->gain = FromHost(context, BsqGains(bits), {2 * bits});
  tensors_[tensor].planes->decay = Tensor();  // Penalty makes it
}

BsqLayer BsqMethod::Layer(int tensor) const {
  BsqLayer layer;
  layer.planes = tensors_[tensor].planes->value.Detached();
  layer.scale = SliceView(scales_->value.Detached(), 0, tensor, tensor + 1);
  layer.bits = tensors_[tensor].bits;
  return layer;
}

void BsqMethod::SetLayer(Context& context, int tensor, const BsqLayer& layer) {
  const Tensor& planes = tensors_[tensor].planes->value;
  const int64_t rows = 2 * layer.bits, elements = planes.size() / kRows;
  std::vector<float> digits = ToHost<float>(context, layer.planes);
  digits.resize(static_cast<size_t>(rows * elements));
  digits.resize(static_cast<size_t>(kRows * elements), 0.0f);
  CopyInto(context, planes, FromHost(context, digits, planes.shape()));
  const float scale = std::max(ToHost<float>(context, layer.scale).at(0), kLeastRange);
  CopyInto(context, SliceView(scales_->value.Detached(), 0, tensor, tensor + 1),
           FromHost<float>(context, {scale}, {1}));
  SetBits(context, tensor, layer.bits);
}

void BsqMethod::FromFloat(Context& context, int site, const Tensor& weight, const Tensor&) {
  tensors_[weight_of_[site]].zero = false;
  SetLayer(context, weight_of_[site], BsqFromFloat(context, weight, config_.initial_bits()));
}

void BsqMethod::BiasFromFloat(Context& context, int site, const Tensor& bias) {
  SetLayer(context, bias_of_[site], BsqFromFloat(context, bias, config_.initial_bits()));
}

std::unique_ptr<Prepared> BsqMethod::Begin(Context&, Mode mode, const StepKey&, const Tensor&) {
  if (mode == Mode::kTrain) BeginCalibration();  // what was noted is that of other weights
  return std::make_unique<PreparedMode>(mode);
}

Tensor BsqMethod::Scale(Context& context, int tensor) const {
  return Slice(context, scales_->value, tensor, tensor + 1);
}

Tensor BsqMethod::Clip(Context& context, int site) const {
  return clips_ == nullptr ? Tensor() : Slice(context, clips_->value, site, site + 1);
}

Tensor BsqMethod::Quantize(Context& context, int tensor) {
  const PlaneTensor& t = tensors_[tensor];
  return BsqWeight(context, t.planes->value, t.planes->row, Scale(context, tensor), t.bits);
}

Tensor BsqMethod::Weight(Context& context, const Prepared&, int site, const Tensor&) {
  return Quantize(context, weight_of_[site]);
}

Tensor BsqMethod::Bias(Context& context, const Prepared&, int site) { return Quantize(context, bias_of_[site]); }

// The scale is the batch's largest value, as published, until calibrating fixes it.
Tensor BsqMethod::Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) {
  if (!quantizes_[site]) return x;
  const Mode mode = static_cast<const PreparedMode&>(prepared).mode;
  const Tensor clip = Clip(context, site);
  const bool noted = mode == Mode::kEvaluate && largest_[site].has_value();
  const Tensor largest = noted ? FromHost<float>(context, {*largest_[site]}, {1}) : BsqLargest(context, x, clip);
  if (mode == Mode::kCalibrate) {
    largest_[site] = std::max(largest_[site].value_or(0), ToHost<float>(context, largest).at(0));
  }
  return BsqActivation(context, x, clip, largest, config_.activation_bits());
}

Tensor BsqMethod::Penalty(Context& context) {
  Tensor penalty;
  for (PlaneTensor& tensor : tensors_) {
    const double weight = BsqLassoWeight(config_.alpha(), tensor.shape.size(), tensor.bits, elements_);
    const BsqLasso lasso = BsqGroupLasso(context, tensor.planes->value.Detached(), tensor.bits, weight);
    tensor.planes->decay = lasso.decay;
    penalty = penalty.defined() ? Add(context, penalty, lasso.penalty) : lasso.penalty;
  }
  return penalty.defined() ? ReshapeView(penalty, Shape{}) : penalty;
}

bool BsqMethod::IsZero(Context& context, int tensor) const {
  const std::vector<int32_t> codes = BsqCodes(context, Layer(tensor));
  return std::all_of(codes.begin(), codes.end(), [](int32_t code) { return code == 0; });
}

RequantizeReport BsqMethod::Requantize(Context& context) {
  BeginCalibration();
  RequantizeReport report;
  std::vector<std::string> zero;
  bool some_weight_left = false;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const int tensor = static_cast<int>(i), before = tensors_[i].zero ? 0 : tensors_[i].bits;
    SetLayer(context, tensor, BsqAdjust(context, Layer(tensor)));
    const bool is_zero = IsZero(context, tensor);
    tensors_[i].zero = is_zero;
    report.tensors.push_back({tensors_[i].name, before, is_zero ? 0 : tensors_[i].bits});
    const bool is_weight = std::count(weight_of_.begin(), weight_of_.end(), tensor) > 0;
    if (is_weight && is_zero) zero.push_back(tensors_[i].name);
    some_weight_left |= is_weight && !is_zero;
  }
  if (!some_weight_left && !zero.empty()) {
    report.warnings.push_back("all layers have 0 bits: every weight is zero (" + NameList(zero) +
                              "); a smaller quantizer.alpha keeps some");
  } else if (!zero.empty()) {
    report.warnings.push_back("0 bits, all weights are zero: " + NameList(zero));
  }
  return report;
}

void BsqMethod::BeginCalibration() { std::fill(largest_.begin(), largest_.end(), std::nullopt); }

std::vector<SiteState> BsqMethod::States(Context& context) {
  std::vector<SiteState> states(sites().size());
  for (size_t i = 0; i < states.size(); ++i) {
    if (sites()[i].role == Role::kActivation) {
      if (quantizes_[i]) states[i].bits = config_.activation_bits();
      continue;
    }
    const bool is_zero = IsZero(context, weight_of_[i]);
    states[i].bits = is_zero ? 0 : tensors_[weight_of_[i]].bits;
    states[i].sign_apart = !is_zero;
    states[i].kept_channels = is_zero ? 0 : sites()[i].channels;
  }
  return states;
}

// The straight-through estimator lets every gradient pass, so the frozen weight has no bounds of its own.
Fixed BsqMethod::FreezeWeight(Context& context, int site) {
  const int tensor = weight_of_[site];
  Fixed fixed;
  fixed.is_signed = true;
  const bool is_zero = IsZero(context, tensor);
  fixed.keep.assign(static_cast<size_t>(sites()[site].channels), !is_zero);
  fixed.bits = is_zero ? 0 : tensors_[tensor].bits;
  fixed.encoding = is_zero ? Encoding::kZero : Encoding::kInteger;
  if (is_zero) return fixed;
  fixed.qmax = (1 << fixed.bits) - 1;
  fixed.qmin = -fixed.qmax;
  fixed.range = ToHost<float>(context, Layer(tensor).scale).at(0);
  fixed.scale = fixed.range / static_cast<float>(fixed.qmax);
  fixed.high = kEverywhere;
  fixed.low = -kEverywhere;
  return fixed;
}

Fixed BsqMethod::FreezeActivation(Context& context, int site) {
  Fixed fixed;
  if (!quantizes_[site]) return fixed;
  if (!largest_[site]) {
    throw FailedPrecondition("freeze: expected the largest value of ", sites()[site].name,
                             ", but no pass over the training set has noted it: train to the end, or calibrate with "
                             "training images");
  }
  fixed.encoding = Encoding::kInteger;
  fixed.bits = config_.activation_bits();
  fixed.qmax = (1 << fixed.bits) - 1;
  fixed.range = std::max(*largest_[site], kLeastRange);
  fixed.scale = fixed.range / static_cast<float>(fixed.qmax);
  fixed.high = clips_ == nullptr ? kBsqRelu6 : ToHost<float>(context, clips_->value).at(site);
  return fixed;
}

Fixed BsqMethod::Freeze(Context& context, int site) {
  return sites()[site].role == Role::kWeight ? FreezeWeight(context, site) : FreezeActivation(context, site);
}

Tensor BsqMethod::FloatWeight(Context& context, int site) {
  const int tensor = weight_of_[site];
  return ReshapeView(BsqFloat(context, Layer(tensor)), tensors_[tensor].shape);
}

std::string BsqMethod::SaveState() const {
  nlohmann::ordered_json state, bits = nlohmann::ordered_json::object(), largest = nlohmann::ordered_json::object();
  nlohmann::ordered_json zero = nlohmann::ordered_json::array();
  for (const PlaneTensor& tensor : tensors_) {
    bits[tensor.name] = tensor.bits;
    if (tensor.zero) zero.push_back(tensor.name);
  }
  for (size_t i = 0; i < sites().size(); ++i) {
    if (largest_[i]) largest[sites()[i].name] = *largest_[i];
  }
  state["bits"] = bits;
  state["zero"] = zero;
  state["largest"] = largest;
  return state.dump();
}

void BsqMethod::LoadState(const std::string& text) {
  const auto state = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto fail = [&](const std::string& what) {
    throw DataLoss("quantizer state: expected ", what, ", got ", text.substr(0, 80));
  };
  if (!state.is_object() || !state.contains("bits") || !state["bits"].is_object() || !state.contains("largest") ||
      !state["largest"].is_object() || !state.contains("zero") || !state["zero"].is_array()) {
    fail("bits, zero tensors and largest values of BSQ");
  }
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const auto bits = state["bits"].find(tensors_[i].name);
    if (bits == state["bits"].end() || !bits->is_number_integer() || *bits < 1 || *bits > kBsqMaxBits) {
      fail("1 to 8 bits of " + tensors_[i].name);
    }
    SetBits(*context_, static_cast<int>(i), bits->get<int>());
    tensors_[i].zero = std::count(state["zero"].begin(), state["zero"].end(), tensors_[i].name) > 0;
  }
  for (size_t i = 0; i < sites().size(); ++i) {
    const auto largest = state["largest"].find(sites()[i].name);
    largest_[i].reset();
    if (largest == state["largest"].end()) continue;
    if (!largest->is_number() || !(largest->get<float>() >= 0) || !std::isfinite(largest->get<float>()))
      fail("a largest value of " + sites()[i].name);
    largest_[i] = largest->get<float>();
  }
}

}  // namespace bitgate
