// Fully connected layer: out[o] = bias[o] + sum over i of in[i] * weight[o, i].
#include "models/graph/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.accepted_attributes = {"channels", "bias"};
  traits.required_attributes = {"channels"};
  traits.has_weight = true;
  return traits;
}

class LinearKind : public LayerKind {
 public:
  LinearKind() : LayerKind("linear", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    const Dims& input = layer.shapes[0];
    if (input.size() != 1) {
      throw InvalidArgument(layer.where, ": input: expected [features] (put a flatten node before), got ",
                            DimsText(input));
    }
    const int64_t out = layer.attributes.channels();
    ElementCount(layer.where + ": attribute channels", {out});
    LayerSpec spec;
    spec.shape = {out};
    spec.macs = ElementCount(layer.where + ": weight", {out, input[0]});
    spec.parameters = {{"weight", {out, input[0]}, input[0]}};
    if (layer.attributes.bias()) spec.parameters.push_back({"bias", {out}, input[0]});
    return spec;
  }
};

}  // namespace

const LayerKind& Linear() {
  static const auto* const kind = new LinearKind;
  return *kind;
}

}  // namespace bitgate::kinds
