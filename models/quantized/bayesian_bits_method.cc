#include "models/quantized/bayesian_bits_method.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "models/quantized/declare.h"
#include "models/quantized/gate_layout.h"
#include "ops/elementwise/reshape.h"
#include "ops/norm/folded_norm.h"
#include "ops/quant/bayesian_bits/bayesian_bits.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "ops/quant/noise/noise.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr uint32_t kGateStream = 0x47415445;  // "GATE": the noise of all gates of a step

class PreparedGates : public Prepared {
 public:
  PreparedGates(Mode mode, Tensor values) : mode(mode), values(std::move(values)) {}
  Mode mode;
  Tensor values;  // z of every site
};

}  // namespace

BayesianBitsMethod::BayesianBitsMethod(std::vector<Site> sites, double max_macs, const QuantizerConfig& config)
    : Method(std::move(sites)),
      config_(config),
      layout_(std::make_shared<GateLayout>(MakeGateLayout(this->sites(), max_macs, config.cost_weighting()))),
      value_offsets_(layout_->value_offsets()),
      flags_(this->sites().size()) {}

std::vector<ParameterDeclaration> BayesianBitsMethod::Declare() const {
  std::vector<ParameterDeclaration> all = DeclareWeights(sites());
  all.push_back(DeclareGates(sites(), *layout_));
  all.push_back(DeclareRanges(sites()));
  return all;
}

void BayesianBitsMethod::Bind(Context& context, const std::vector<Parameter*>& parameters) {
  size_t next = 0;
  weights_ = BindWeights(sites(), parameters, &next);
  gates_ = parameters.at(next);
  ranges_ = parameters.at(next + 1);
  CopyInto(context, gates_->value, FromHost(context, InitialGates(*layout_, config_), gates_->value.shape()));
  CopyInto(context, ranges_->value,
           FromHost(context, std::vector<float>(sites().size(), 1.0f), ranges_->value.shape()));
}

void BayesianBitsMethod::FromFloat(Context& context, int site, const Tensor& weight, const Tensor& gain) {
  CopyInto(context, weights_[site]->value, weight);
  SetRange(context, site, ToHost<float>(context, gain.defined() ? ScaleRows(context, weight, gain) : weight));
}

NormFolding BayesianBitsMethod::norm_folding() const {
  switch (config_.batch_norm_statistics()) {
    case QuantizerConfig::FLOAT:
      return NormFolding::kFloatStatistics;
    case QuantizerConfig::DETACHED:
      return NormFolding::kDetachedStatistics;
    case QuantizerConfig::QUANTIZED:
      return NormFolding::kQuantizedStatistics;
  }
  return NormFolding::kFloatStatistics;
}

// beta = max(0, max x), signed if some x is negative. x may be before the relu that the quantizer absorbs.
void BayesianBitsMethod::SetRange(Context& context, int site, const std::vector<float>& values) {
  float least = 0, greatest = 0;
  for (float value : values) {
    least = std::min(least, value);
    greatest = std::max(greatest, value);
  }
  flags_[site] = {true, least < 0 && !sites()[site].nonnegative};
  const Tensor range = SliceView(ranges_->value, 0, site, site + 1);
  CopyInto(context, range, FromHost<float>(context, {std::max(greatest, kLeastRange)}, {1}));
}

void BayesianBitsMethod::RequireRange(const char* verb, int site) const {
  if (flags_[site].calibrated) return;
  throw FailedPrecondition(verb, ": expected a range for ", sites()[site].name,
                           ", but no training batch has passed through it yet: train first");
}

std::unique_ptr<Prepared> BayesianBitsMethod::Begin(Context& context, Mode mode, const StepKey& key,
                                                    const Tensor& noise) {
  GateMode gate_mode = GateMode::kThreshold;
  Tensor u;
  if (mode == Mode::kTrain) {
    gate_mode = config_.stochastic_gates() ? GateMode::kStochastic : GateMode::kDeterministic;
    if (config_.stochastic_gates()) u = noise;
    if (config_.stochastic_gates() && !noise.defined()) {
      u = UniformNoise(context, key, kGateStream, layout_->parameters);
    }
  }
  return std::make_unique<PreparedGates>(mode, Gates(context, gates_->value, u, gate_mode, layout_));
}

Tensor BayesianBitsMethod::Quantize(Context& context, const Prepared& prepared, int site, const Tensor& x) {
  const Tensor& values = static_cast<const PreparedGates&>(prepared).values;
  const int64_t begin = value_offsets_[site], channels = layout_->sites[site].channels;
  const Tensor range = Slice(context, ranges_->value, site, site + 1);
  const Tensor levels = Slice(context, values, begin + channels, begin + channels + 4);
  return BayesianBits(context, x, range, levels, ChannelGates(context, prepared, site), flags_[site].is_signed);
}

Tensor BayesianBitsMethod::ChannelGates(Context& context, const Prepared& prepared, int site) {
  const int64_t begin = value_offsets_[site], channels = layout_->sites[site].channels;
  if (channels == 0) return {};
  return Slice(context, static_cast<const PreparedGates&>(prepared).values, begin, begin + channels);
}

Tensor BayesianBitsMethod::Weight(Context& context, const Prepared& prepared, int site, const Tensor& gain) {
  const Tensor& weight = weights_[site]->value;
  return Quantize(context, prepared, site, gain.defined() ? ScaleRows(context, weight, gain) : weight);
}

Tensor BayesianBitsMethod::Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) {
  const bool training = static_cast<const PreparedGates&>(prepared).mode == Mode::kTrain;
  if (!training) RequireRange("evaluate", site);
  if (!flags_[site].calibrated) SetRange(context, site, ToHost<float>(context, x));
  return Quantize(context, prepared, site, x);
}

Tensor BayesianBitsMethod::Penalty(Context& context) {
  return GatePenalty(context, gates_->value, config_.mu(), layout_);
}

std::vector<BayesianBitsMethod::Decision> BayesianBitsMethod::Decide(Context& context) {
  const std::vector<float> z =
      ToHost<float>(context, Gates(context, gates_->value.Detached(), {}, GateMode::kThreshold, layout_));
  std::vector<Decision> decisions;
  for (size_t i = 0; i < sites().size(); ++i) {
    const float* site_z = z.data() + value_offsets_[i];
    const int64_t channels = layout_->sites[i].channels;
    Decision decision;
    for (int64_t c = 0; c < channels; ++c) decision.keep.push_back(site_z[c] != 0.0f);
    const bool is_weight = sites()[i].role == Role::kWeight;
    if (channels == 0 && is_weight) decision.keep.assign(sites()[i].channels, true);
    decision.level = ActiveLevels(site_z + channels) - 1;
    const bool all_pruned = is_weight && std::count(decision.keep.begin(), decision.keep.end(), true) == 0;
    decision.bits = all_pruned ? 0 : kBitWidths[decision.level];
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

std::vector<SiteState> BayesianBitsMethod::States(Context& context) {
  std::vector<SiteState> states;
  for (const Decision& decision : Decide(context)) {
    SiteState state;
    state.bits = decision.bits;
    state.kept_channels = std::count(decision.keep.begin(), decision.keep.end(), true);
    states.push_back(state);
  }
  return states;
}

Fixed BayesianBitsMethod::Freeze(Context& context, int site) {
  RequireRange("freeze", site);
  const Decision decision = Decide(context)[site];
  Fixed fixed;
  fixed.keep = decision.keep;
  fixed.bits = decision.bits;
  fixed.range = ToHost<float>(context, ranges_->value)[site];
  fixed.is_signed = flags_[site].is_signed;
  const auto scales = MakeBayesianBitsScales(fixed.range, fixed.is_signed);
  fixed.low = scales.low;
  fixed.high = scales.high;
  if (fixed.bits == 0) {
    fixed.encoding = Encoding::kZero;
  } else if (fixed.bits == 32) {
    fixed.encoding = Encoding::kClip;
  } else {
    fixed.encoding = Encoding::kInteger;
    fixed.scale = scales.scale[decision.level];
    fixed.qmax = fixed.is_signed ? (1 << (fixed.bits - 1)) - 1 : (1 << fixed.bits) - 1;
    fixed.qmin = fixed.is_signed ? -fixed.qmax : 0;
  }
  return fixed;
}

Tensor BayesianBitsMethod::FloatWeight(Context&, int site) { return weights_[site]->value; }

std::string BayesianBitsMethod::SaveState() const {
  nlohmann::json state = nlohmann::json::object();
  for (size_t i = 0; i < sites().size(); ++i) {
    state[sites()[i].name] = {{"calibrated", flags_[i].calibrated}, {"signed", flags_[i].is_signed}};
  }
  return state.dump();
}

void BayesianBitsMethod::LoadState(const std::string& text) {
  const auto state = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  for (size_t i = 0; i < sites().size(); ++i) {
    const auto site = state.is_object() ? state.find(sites()[i].name) : state.end();
    if (!state.is_object() || site == state.end() || !site->is_object() || !site->contains("calibrated") ||
        !site->at("calibrated").is_boolean() || !site->contains("signed") || !site->at("signed").is_boolean()) {
      throw DataLoss("quantizer state: expected flags of ", sites()[i].name, ", got ", text.substr(0, 80));
    }
    flags_[i] = {site->at("calibrated").get<bool>(), site->at("signed").get<bool>()};
  }
}

}  // namespace bitgate
