// Average pooling: AveragePool without the padding in its count, or GlobalAveragePool.
#include "models/deploy/kinds/kinds.h"
#include "models/deploy/kinds/pool.h"

namespace bitgate::deploy_kinds {
namespace {

class AveragePoolKind : public DeployKind {
 public:
  AveragePoolKind() : DeployKind("average_pool") {}

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    const Window& window = node.node.spec.window;
    const Dims& image = node.graph.shape(node.node.inputs[0]);
    const std::string output = node.node.name + "/output";
    const bool is_global = window.kernel_height == image[0] && window.kernel_width == image[1] &&
                           window.padding_height == 0 && window.padding_width == 0;
    if (is_global) return {onnx.Node("GlobalAveragePool", {inputs[0].name}, output), {}};
    return {onnx.Node("AveragePool", {inputs[0].name}, output, PoolAttributes(window), {{"count_include_pad", 0}}), {}};
  }
};

}  // namespace

const DeployKind& AveragePool() {
  static const auto* const kind = new AveragePoolKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
