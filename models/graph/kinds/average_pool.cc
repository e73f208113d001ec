// Mean of each window's elements, padding excluded; without a kernel the mean over the whole image.
#include "models/graph/kinds/kinds.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.accepted_attributes = {"kernel", "stride", "padding"};
  traits.keeps_channels = true;
  return traits;
}

class AveragePoolKind : public LayerKind {
 public:
  AveragePoolKind() : LayerKind("average_pool", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    const Dims& input = layer.shapes[0];
    LayerSpec spec;
    spec.window = PoolWindow(layer.where, layer.attributes, input);
    spec.shape = SlideWindow(layer.where, spec.window, input, input[2]);
    return spec;
  }
};

}  // namespace

const LayerKind& AveragePool() {
  static const auto* const kind = new AveragePoolKind;
  return *kind;
}

}  // namespace bitgate::kinds
