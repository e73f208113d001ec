// Largest element of each window; padding is never picked.
#include "models/graph/kinds/kinds.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.accepted_attributes = {"kernel", "stride", "padding"};
  traits.required_attributes = {"kernel"};
  traits.keeps_channels = true;
  return traits;
}

class MaxPoolKind : public LayerKind {
 public:
  MaxPoolKind() : LayerKind("max_pool", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    const Dims& input = layer.shapes[0];
    LayerSpec spec;
    spec.window = PoolWindow(layer.where, layer.attributes, input);
    spec.shape = SlideWindow(layer.where, spec.window, input, input[2]);
    return spec;
  }
};

}  // namespace

const LayerKind& MaxPool() {
  static const auto* const kind = new MaxPoolKind;
  return *kind;
}

}  // namespace bitgate::kinds
