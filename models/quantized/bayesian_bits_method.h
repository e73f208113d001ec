// Bayesian Bits (van Baalen et al., NeurIPS 2020, arXiv 2005.07093) as a quantization method.
#ifndef BITGATE_MODELS_QUANTIZED_BAYESIAN_BITS_METHOD_H_
#define BITGATE_MODELS_QUANTIZED_BAYESIAN_BITS_METHOD_H_

#include <memory>
#include <string>
#include <vector>

#include "models/quantized/method.h"
#include "ops/quant/gates/gates.h"

namespace bitgate {

// Parameters: each weight "<layer>/weight"; all gate parameters phi as one tensor "gates" (per site: one per output
// channel where it may be pruned, then one per level that is to be learned); all range ends beta as one tensor
// "ranges".
class BayesianBitsMethod : public Method {
 public:
  // `max_macs`: MACs of the network's largest layer, the unit of the regularizer's costs.
  BayesianBitsMethod(std::vector<Site> sites, double max_macs, const QuantizerConfig& config);

  std::vector<ParameterDeclaration> Declare() const override;
  void Bind(Context& context, const std::vector<Parameter*>& parameters) override;
  void FromFloat(Context& context, int site, const Tensor& weight, const Tensor& gain) override;
  NormFolding norm_folding() const override;
  std::unique_ptr<Prepared> Begin(Context& context, Mode mode, const StepKey& key, const Tensor& noise) override;
  // One for each element of "gates", in its order.
  int64_t noise_size() const override { return layout_->parameters; }
  Tensor Weight(Context& context, const Prepared& prepared, int site, const Tensor& gain) override;
  Tensor ChannelGates(Context& context, const Prepared& prepared, int site) override;
  Tensor Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) override;
  bool AbsorbsRelu(int site) const override { return sites()[site].nonnegative; }
  Tensor Penalty(Context& context) override;
  std::vector<SiteState> States(Context& context) override;
  Fixed Freeze(Context& context, int site) override;
  Tensor FloatWeight(Context& context, int site) override;
  std::string SaveState() const override;
  void LoadState(const std::string& state) override;

 private:
  // What the data decided when the range was initialised.
  struct SiteFlags {
    bool calibrated = false;
    bool is_signed = false;
  };

  // Throws FailedPrecondition for a site whose range no data has initialised.
  void RequireRange(const char* verb, int site) const;
  void SetRange(Context& context, int site, const std::vector<float>& values);
  Tensor Quantize(Context& context, const Prepared& prepared, int site, const Tensor& x);
  // What the thresholded gates say of a site: bits (0 when a weight has lost all channels) and, of a weight, which
  // channels are kept.
  struct Decision {
    int bits;
    int level;  // 0: 2 bits ... 4: 32 bits
    std::vector<bool> keep;
  };
  std::vector<Decision> Decide(Context& context);

  QuantizerConfig config_;
  std::shared_ptr<const GateLayout> layout_;
  std::vector<int64_t> value_offsets_;
  std::vector<SiteFlags> flags_;
  std::vector<Parameter*> weights_;  // by site; null for activations
  Parameter* gates_ = nullptr;
  Parameter* ranges_ = nullptr;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_BAYESIAN_BITS_METHOD_H_
