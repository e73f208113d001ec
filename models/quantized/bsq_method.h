// BSQ (Yang et al., "BSQ: Exploring Bit-Level Sparsity for Mixed-Precision Neural Network Quantization", ICLR 2021,
// arXiv 2102.10462) as a quantization method.
#ifndef BITGATE_MODELS_QUANTIZED_BSQ_METHOD_H_
#define BITGATE_MODELS_QUANTIZED_BSQ_METHOD_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/quantized/method.h"
#include "ops/quant/bsq/bsq_layer.h"

namespace bitgate {

// Parameters: each weight and bias "<name>/planes", [16, shape...]: its N bits are the first 2N rows, the positive
// planes and then the negative ones, the most significant first; all their scales as one tensor "scales"; below 4 bits
// the clips of activations as one tensor "clips".
class BsqMethod : public Method {
 public:
  // The sites of `graph`.
  BsqMethod(const Graph& graph, const QuantizerConfig& config);

  std::vector<ParameterDeclaration> Declare() const override;
  void Bind(Context& context, const std::vector<Parameter*>& parameters) override;
  void FromFloat(Context& context, int site, const Tensor& weight, const Tensor& gain) override;
  std::unique_ptr<Prepared> Begin(Context& context, Mode mode, const StepKey& key, const Tensor& noise) override;
  Tensor Weight(Context& context, const Prepared& prepared, int site, const Tensor& gain) override;
  bool OwnsBias(int site) const override { return bias_of_[site] >= 0; }
  void BiasFromFloat(Context& context, int site, const Tensor& bias) override;
  Tensor Bias(Context& context, const Prepared& prepared, int site) override;
  Tensor Activation(Context& context, const Prepared& prepared, int site, const Tensor& x) override;
  bool AbsorbsRelu(int site) const override { return quantizes_[site]; }
  Tensor Penalty(Context& context) override;
  bool requantizes() const override { return true; }
  RequantizeReport Requantize(Context& context) override;
  bool calibrates() const override { return true; }
  void BeginCalibration() override;
  std::vector<SiteState> States(Context& context) override;
  Fixed Freeze(Context& context, int site) override;
  Tensor FloatWeight(Context& context, int site) override;
  std::string SaveState() const override;
  void LoadState(const std::string& state) override;

 private:
  // A weight or a bias.
  struct PlaneTensor {
    std::string name;
    Shape shape;
    int bits;
    bool zero = false;  // when it was last re-quantized
    Parameter* planes = nullptr;
  };

  bool uses_clips() const;
  Tensor Scale(Context& context, int tensor) const;
  Tensor Clip(Context& context, int site) const;  // undefined: ReLU6
  Tensor Quantize(Context& context, int tensor);
  BsqLayer Layer(int tensor) const;
  void SetLayer(Context& context, int tensor, const BsqLayer& layer);
  void SetBits(Context& context, int tensor, int bits);
  bool IsZero(Context& context, int tensor) const;
  Fixed FreezeWeight(Context& context, int site);
  Fixed FreezeActivation(Context& context, int site);

  QuantizerConfig config_;
  std::vector<PlaneTensor> tensors_;
  int64_t elements_ = 0;                       // of all tensors
  std::vector<int> weight_of_, bias_of_;       // by site: its tensor, -1: none
  std::vector<bool> quantizes_;                // by site: whether an activation is quantized
  std::vector<std::optional<float>> largest_;  // by site: of a clipped activation, over the calibration's images
  Context* context_ = nullptr;                 // that the parameters are bound in
  Parameter* scales_ = nullptr;
  Parameter* clips_ = nullptr;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_BSQ_METHOD_H_
