// No quantization: the baseline that quantized networks are compared with, in the same runtime.
#ifndef BITGATE_MODELS_QUANTIZED_FLOAT_METHOD_H_
#define BITGATE_MODELS_QUANTIZED_FLOAT_METHOD_H_

#include <memory>
#include <string>
#include <vector>

#include "models/quantized/method.h"

namespace bitgate {

class FloatMethod : public Method {
 public:
  explicit FloatMethod(std::vector<Site> sites) : Method(std::move(sites)) {}

  std::vector<ParameterDeclaration> Declare() const override;
  void Bind(Context& context, const std::vector<Parameter*>& parameters) override;
  void FromFloat(Context& context, int site, const Tensor& weight, const Tensor& gain) override;
  std::unique_ptr<Prepared> Begin(Context&, Mode, const StepKey&, const Tensor&) override {
    return std::make_unique<Prepared>();
  }
  Tensor Weight(Context&, const Prepared&, int site, const Tensor&) override { return weights_[site]->value; }
  Tensor Activation(Context&, const Prepared&, int, const Tensor& x) override { return x; }
  bool AbsorbsRelu(int) const override { return false; }
  Tensor Penalty(Context&) override { return {}; }
  std::vector<SiteState> States(Context& context) override;
  Fixed Freeze(Context& context, int site) override;
  Tensor FloatWeight(Context&, int site) override { return weights_[site]->value.Detached(); }
  std::string SaveState() const override { return ""; }
  void LoadState(const std::string& state) override;

 private:
  std::vector<Parameter*> weights_;  // by site; null for activations
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_FLOAT_METHOD_H_
