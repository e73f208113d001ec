// Batch normalisation (arXiv 1502.03167): out = gamma (in - mean) / sqrt(variance + epsilon) + beta, each channel with
// values of its own; mean and variance of the batch in training, the running ones otherwise.
#include <cmath>

#include "models/graph/kinds/kinds.h"
#include "runtime/base/error.h"

namespace bitgate::kinds {
namespace {

LayerTraits Traits() {
  LayerTraits traits;
  traits.accepted_attributes = {"epsilon", "momentum"};
  traits.keeps_channels = true;
  traits.is_normalization = true;
  return traits;
}

class BatchNormKind : public LayerKind {
 public:
  BatchNormKind() : LayerKind("batch_norm", Traits()) {}

  LayerSpec CheckAndInfer(const LayerInputs& layer) const override {
    const float epsilon = static_cast<float>(layer.attributes.epsilon());
    if (!(epsilon > 0) || !std::isfinite(epsilon)) {
      throw InvalidArgument(layer.where, ": attribute epsilon: expected a number above 0, got ",
                            layer.attributes.epsilon());
    }
    if (!(layer.attributes.momentum() >= 0 && layer.attributes.momentum() <= 1)) {
      throw InvalidArgument(layer.where, ": attribute momentum: expected a number in [0, 1], got ",
                            layer.attributes.momentum());
    }
    LayerSpec spec;
    spec.shape = layer.shapes[0];
    const Dims channels = {spec.shape.back()};
    spec.parameters = {{"gamma", channels, 1, 1.0f},
                       {"beta", channels, 1, 0.0f},
                       {"running_mean", channels, 1, 0.0f, /*learned=*/false},
                       {"running_variance", channels, 1, 1.0f, /*learned=*/false, /*low=*/0}};
    return spec;
  }
};

}  // namespace

const LayerKind& BatchNorm() {
  static const auto* const kind = new BatchNormKind;
  return *kind;
}

}  // namespace bitgate::kinds
