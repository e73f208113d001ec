#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "models/quantized/declare.h"
#include "models/quantized/method.h"
#include "ops/elementwise/reshape.h"
#include "ops/quant/fixed/fixed_math.h"
#include "ops/quant/fixed/fixed_quantize.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// Carries a frozen network on: every site has its Fixed, weights and ranges go on learning.
class FixedMethod : public Method {
 public:
  FixedMethod(std::vector<Site> sites, std::vector<Fixed> fixed)
      : Method(std::move(sites)), fixed_(std::move(fixed)), keep_(this->sites().size()) {}

  std::vector<ParameterDeclaration> Declare() const override;
  void Bind(Context& context, const std::vector<Parameter*>& parameters) override;
  void FromFloat(Context& context, int site, const Tensor& weight, const Tensor&) override {
    CopyInto(context, weights_[site]->value, weight);
  }
  std::unique_ptr<Prepared> Begin(Context&, Mode, const StepKey&, const Tensor&) override {
    return std::make_unique<Prepared>();
  }
  Tensor Weight(Context& context, const Prepared&, int site, const Tensor&) override {
    return Quantize(context, site, weights_[site]->value);
  }
  Tensor Activation(Context& context, const Prepared&, int site, const Tensor& x) override {
    return Quantize(context, site, x);
  }
  bool AbsorbsRelu(int site) const override {
    const Encoding encoding = fixed_[site].encoding;
    const bool clips = encoding == Encoding::kInteger || encoding == Encoding::kClip;
    return clips && !fixed_[site].is_signed && sites()[site].nonnegative;
  }
  CodeGrid Grid(Context& context, int site) override;
  Tensor Penalty(Context&) override { return {}; }
  std::vector<SiteState> States(Context& context) override;
  Fixed Freeze(Context& context, int site) override;
  Tensor FloatWeight(Context&, int site) override { return weights_[site]->value.Detached(); }
  std::string SaveState() const override;
  void LoadState(const std::string& state) override;

 private:
  Tensor Quantize(Context& context, int site, const Tensor& x);

  std::vector<Fixed> fixed_;  // by site, as frozen
  std::vector<Tensor> keep_;  // by site: flags as 0 and 1; undefined where all channels are kept
  std::vector<Parameter*> weights_;
  Parameter* ranges_ = nullptr;
};

std::vector<ParameterDeclaration> FixedMethod::Declare() const {
  std::vector<ParameterDeclaration> all = DeclareWeights(sites());
  all.push_back(DeclareRanges(sites()));
  return all;
}

void FixedMethod::Bind(Context& context, const std::vector<Parameter*>& parameters) {
  size_t next = 0;
  weights_ = BindWeights(sites(), parameters, &next);
  ranges_ = parameters.at(next);
  std::vector<float> ranges;
  for (size_t i = 0; i < sites().size(); ++i) {
    const Fixed& fixed = fixed_[i];
    // A site without a range has a place in the tensor all the same; nothing reads it.
    ranges.push_back(fixed.range > 0 ? fixed.range : 1.0f);
    if (std::find(fixed.keep.begin(), fixed.keep.end(), false) == fixed.keep.end()) continue;
    const std::vector<float> flags(fixed.keep.begin(), fixed.keep.end());
    keep_[i] = FromHost(context, flags, {static_cast<int64_t>(flags.size())});
  }
  CopyInto(context, ranges_->value, FromHost(context, ranges, ranges_->value.shape()));
}

Tensor FixedMethod::Quantize(Context& context, int site, const Tensor& x) {
  const Fixed& fixed = fixed_[site];
  if (fixed.encoding == Encoding::kFloat) return x;
  if (fixed.encoding == Encoding::kZero) return Zeros(context, x.shape());
  FixedQuantizer quantizer;
  quantizer.clip_only = fixed.encoding == Encoding::kClip;
  quantizer.scale = fixed.scale;
  quantizer.qmin = fixed.qmin;
  quantizer.qmax = fixed.qmax;
  quantizer.low = fixed.low;
  quantizer.high = fixed.high;
  quantizer.range = fixed.range;
  return FixedQuantize(context, x, Slice(context, ranges_->value, site, site + 1), keep_[site], quantizer);
}

std::vector<SiteState> FixedMethod::States(Context&) {
  std::vector<SiteState> states;
  for (const Fixed& fixed : fixed_) {
    SiteState state;
    state.bits = fixed.bits;
    state.sign_apart = fixed.encoding == Encoding::kInteger && fixed.qmin < 0 && fixed.qmax >> fixed.bits == 0 &&
                       fixed.qmax >> (fixed.bits - 1) != 0;
    state.kept_channels = std::count(fixed.keep.begin(), fixed.keep.end(), true);
    states.push_back(state);
  }
  return states;
}

CodeGrid FixedMethod::Grid(Context& context, int site) {
  const Fixed now = Freeze(context, site);
  if (now.encoding != Encoding::kInteger) return {};
  return {now.scale, std::max(std::abs(now.qmin), std::abs(now.qmax))};
}

// The lengths of the moment: those of freezing, stretched as the range has learned.
Fixed FixedMethod::Freeze(Context& context, int site) {
  Fixed now = fixed_[site];
  if (now.encoding != Encoding::kInteger && now.encoding != Encoding::kClip) return now;
  const float range = ToHost<float>(context, ranges_->value)[site];
  const FixedLengths lengths = StretchLengths({now.scale, now.low, now.high}, range, now.range);
  now.scale = lengths.scale;
  now.low = lengths.low;
  now.high = lengths.high;
  now.range = range;
  return now;
}

std::string FixedMethod::SaveState() const {
  nlohmann::ordered_json state = nlohmann::ordered_json::array();
  for (const Fixed& fixed : fixed_) state.push_back(ToJson(fixed));
  return state.dump();
}

void FixedMethod::LoadState(const std::string& state) {
  if (state != SaveState()) throw DataLoss("quantizer state: expected that of the frozen network, got another");
}

}  // namespace

std::unique_ptr<Method> MakeFixedMethod(std::vector<Site> sites, std::vector<Fixed> fixed) {
  return std::make_unique<FixedMethod>(std::move(sites), std::move(fixed));
}

std::unique_ptr<Method> MakeFixedMethod(std::vector<Site> sites, const std::string& text) {
  const auto state = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!state.is_array() || state.size() != sites.size()) {
    throw DataLoss("quantizer state: expected ", sites.size(), " frozen quantizers, got ", text.substr(0, 80));
  }
  std::vector<Fixed> fixed;
  for (size_t i = 0; i < sites.size(); ++i) {
    fixed.push_back(FixedFromJson(state[i], sites[i].name));
    const Fixed& one = fixed.back();
    const bool quantizes = one.encoding == Encoding::kInteger || one.encoding == Encoding::kClip;
    const size_t flags = sites[i].role == Role::kWeight ? static_cast<size_t>(sites[i].channels) : 0;
    if (one.keep.size() != flags || (quantizes && !(one.range > 0)) ||
        (one.encoding == Encoding::kInteger && !(one.scale > 0))) {
      throw DataLoss("quantizer state: expected ", flags, " channel flags and a positive range for ", sites[i].name,
                     ", got ", ToJson(one).dump().substr(0, 160));
    }
  }
  return MakeFixedMethod(std::move(sites), std::move(fixed));
}

}  // namespace bitgate
