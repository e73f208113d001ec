// What convolutions and linear layers share when channels are removed. A linear layer is a convolution of one position.
#ifndef BITGATE_MODELS_DEPLOY_KINDS_WEIGHTED_H_
#define BITGATE_MODELS_DEPLOY_KINDS_WEIGHTED_H_

#include <vector>

#include "models/deploy/deploy_kind.h"

namespace bitgate::deploy_kinds {

// Convolutions with groups keep all their channels, or lose all; a depthwise convolution (one input and one output
// channel a group) loses the same channels on both sides.
class WeightedKind : public DeployKind {
 public:
  Constants OutputConstants(const DeployNode& node, const std::vector<Constants>& inputs) const override;
  std::vector<Channels> NeededInputs(const DeployNode& node, const std::vector<Constants>& inputs,
                                     const Channels& needed) const override;
  Channels KeptOutput(const DeployNode& node, const std::vector<Channels>& kept_inputs,
                      const Channels& needed) const override;
  void RemoveChannels(const DeployNode& node, const Channels& kept_input, const Constants& input,
                      const Channels& kept_output, Attributes* attributes, FrozenLayer* layer) const override;

 protected:
  using DeployKind::DeployKind;
};

}  // namespace bitgate::deploy_kinds

#endif  // BITGATE_MODELS_DEPLOY_KINDS_WEIGHTED_H_
