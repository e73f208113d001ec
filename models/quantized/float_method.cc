#include "models/quantized/float_method.h"

#include "models/quantized/declare.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

std::vector<ParameterDeclaration> FloatMethod::Declare() const { return DeclareWeights(sites()); }

void FloatMethod::Bind(Context&, const std::vector<Parameter*>& parameters) {
  size_t next = 0;
  weights_ = BindWeights(sites(), parameters, &next);
}

void FloatMethod::FromFloat(Context& context, int site, const Tensor& weight, const Tensor&) {
  CopyInto(context, weights_[site]->value, weight);
}

std::vector<SiteState> FloatMethod::States(Context&) {
  std::vector<SiteState> states(sites().size());
  for (size_t i = 0; i < states.size(); ++i) {
    if (sites()[i].role == Role::kWeight) states[i].kept_channels = sites()[i].channels;
  }
  return states;
}

Fixed FloatMethod::Freeze(Context&, int site) {
  Fixed fixed;
  if (sites()[site].role == Role::kWeight) fixed.keep.assign(sites()[site].channels, true);
  return fixed;
}

void FloatMethod::LoadState(const std::string& state) {
  if (!state.empty()) throw DataLoss("quantizer state: expected none for method float, got ", state.substr(0, 80));
}

}  // namespace bitgate
