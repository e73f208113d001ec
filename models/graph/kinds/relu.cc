// out = max(in, 0).
#include "models/graph/kinds/kinds.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.is_nonlinearity = true;
  traits.is_nonnegative = true;
  traits.keeps_channels = true;
  return traits;
}

class ReluKind : public LayerKind {
 public:
  ReluKind() : LayerKind("relu", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    LayerSpec spec;
    spec.shape = layer.shapes[0];
    return spec;
  }
};

}  // namespace

const LayerKind& Relu() {
  static const auto* const kind = new ReluKind;
  return *kind;
}

}  // namespace bitgate::kinds
