// Sum of two tensors of one shape (a residual connection).
#include "models/graph/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.inputs = 2;
  return traits;
}

class AddKind : public LayerKind {
 public:
  AddKind() : LayerKind("add", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    if (layer.shapes[0] != layer.shapes[1]) {
      throw InvalidArgument(layer.where, ": inputs: expected equal shapes, got ", DimsText(layer.shapes[0]), " and ",
                            DimsText(layer.shapes[1]));
    }
    LayerSpec spec;
    spec.shape = layer.shapes[0];
    return spec;
  }
};

}  // namespace

const LayerKind& Add() {
  static const auto* const kind = new AddKind;
  return *kind;
}

}  // namespace bitgate::kinds
