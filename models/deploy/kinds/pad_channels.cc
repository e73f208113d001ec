// Channels of zeros around those there are: Pad. Keeps all its channels: which ones are padded is a matter of their
// order.
#include "ops/elementwise/pad_channels.h"

#include <algorithm>

#include "models/deploy/kinds/kinds.h"

namespace bitgate::deploy_kinds {
namespace {

struct Padding {
  int64_t before, behind;

  explicit Padding(const DeployNode& node) {
    const int64_t channels = node.graph.shape(node.node.inputs[0]).back(), padded = node.node.spec.shape.back();
    before = PadChannelsBefore(channels, padded);
    behind = padded - channels - before;
  }
};

class PadChannelsKind : public DeployKind {
 public:
  PadChannelsKind() : DeployKind("pad_channels") {}

  Constants OutputConstants(const DeployNode& node, const std::vector<Constants>& inputs) const override {
    Constants constants(static_cast<size_t>(node.node.spec.shape.back()), 0.0f);
    std::copy(inputs[0].begin(), inputs[0].end(), constants.begin() + Padding(node).before);
    return constants;
  }

  std::vector<Channels> NeededInputs(const DeployNode&, const std::vector<Constants>& inputs,
                                     const Channels&) const override {
    return {Channels(inputs[0].size(), true)};
  }

  Channels KeptOutput(const DeployNode&, const std::vector<Channels>&, const Channels& needed) const override {
    return Channels(needed.size(), true);
  }

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    const Padding padding(node);
    const std::string& name = node.node.name;
    // Of each dimension, first what comes before: [batch, channels, ...].
    const size_t rank = node.node.spec.shape.size() + 1;
    std::vector<int64_t> pads(2 * rank, 0);
    pads[1] = padding.before;
    pads[rank + 1] = padding.behind;
    return {onnx.Node("Pad", {inputs[0].name, onnx.Int64s(name + "/pads", pads)}, name + "/output"), {}};
  }
};

}  // namespace

const DeployKind& PadChannels() {
  static const auto* const kind = new PadChannelsKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
