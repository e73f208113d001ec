// [height, width, channels] to [features], channels fastest: feature f is of channel f modulo channels.
#include "models/graph/kinds/kinds.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.keeps_channels = true;
  return traits;
}

class FlattenKind : public LayerKind {
 public:
  FlattenKind() : LayerKind("flatten", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    LayerSpec spec;
    spec.shape = {ElementCount(layer.where + ": output", layer.shapes[0])};
    return spec;
  }
};

}  // namespace

const LayerKind& Flatten() {
  static const auto* const kind = new FlattenKind;
  return *kind;
}

}  // namespace bitgate::kinds
