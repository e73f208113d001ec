// Convolution, NHWC: out[h, w, o] = bias[o] + sum over the window and the group's input channels of in * weight[o, kh,
// kw, i].
#include "models/graph/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.accepted_attributes = {"channels", "kernel", "stride", "padding", "groups", "bias"};
  traits.required_attributes = {"channels", "kernel"};
  traits.has_weight = true;
  return traits;
}

void CheckGroups(const std::string& where, int64_t groups, int64_t in, int64_t out) {
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    throw InvalidArgument(where, ": attribute groups: expected a divisor of the ", in, " input and ", out,
                          " output channels, got ", groups);
  }
}

class Conv2dKind : public LayerKind {
 public:
  Conv2dKind() : LayerKind("conv2d", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    const Dims& input = layer.shapes[0];
    LayerSpec spec;
    spec.window = ConvolutionWindow(layer.where, layer.attributes, input);
    const int64_t out = layer.attributes.channels();
    ElementCount(layer.where + ": attribute channels", {out});
    CheckGroups(layer.where, layer.attributes.groups(), input[2], out);
    const int64_t in = input[2] / layer.attributes.groups();
    spec.shape = SlideWindow(layer.where, spec.window, input, out);
    const Dims weight = {out, spec.window.kernel_height, spec.window.kernel_width, in};
    const int64_t weights = ElementCount(layer.where + ": weight", weight);
    spec.macs = spec.shape[0] * spec.shape[1] * weights;
    spec.parameters = {{"weight", weight, weights / out}};
    if (layer.attributes.bias()) spec.parameters.push_back({"bias", {out}, weights / out});
    return spec;
  }
};

}  // namespace

const LayerKind& Conv2d() {
  static const auto* const kind = new Conv2dKind;
  return *kind;
}

}  // namespace bitgate::kinds
