// Appends channels of zeros, half of them (rounded down) before the others: the shortcut without parameters of a
// residual network whose blocks widen (He et al., arXiv 1512.03385, section 3.3, option A).
#include "models/graph/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.accepted_attributes = {"channels"};
  traits.required_attributes = {"channels"};
  return traits;
}

class PadChannelsKind : public LayerKind {
 public:
  PadChannelsKind() : LayerKind("pad_channels", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    LayerSpec spec;
    spec.shape = layer.shapes[0];
    if (layer.attributes.channels() < spec.shape.back()) {
      throw InvalidArgument(layer.where, ": attribute channels: expected at least the input's ", spec.shape.back(),
                            ", got ", layer.attributes.channels());
    }
    spec.shape.back() = layer.attributes.channels();
    ElementCount(layer.where + ": attribute channels", spec.shape);
    return spec;
  }
};

}  // namespace

const LayerKind& PadChannels() {
  static const auto* const kind = new PadChannelsKind;
  return *kind;
}

}  // namespace bitgate::kinds
