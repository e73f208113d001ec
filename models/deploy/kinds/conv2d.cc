// Convolution: Conv, its weight as OIHW.
#include "models/deploy/kinds/kinds.h"
#include "models/deploy/kinds/weighted.h"
#include "models/deploy/onnx_quantizer.h"

namespace bitgate::deploy_kinds {
namespace {

// For each element of OIHW its place in OHWI.
std::vector<int64_t> OutputFirstOrder(const Dims& ohwi) {
  std::vector<int64_t> order;
  for (int64_t o = 0; o < ohwi[0]; ++o) {
    for (int64_t i = 0; i < ohwi[3]; ++i) {
      for (int64_t position = 0; position < ohwi[1] * ohwi[2]; ++position) {
        order.push_back((o * ohwi[1] * ohwi[2] + position) * ohwi[3] + i);
      }
    }
  }
  return order;
}

class Conv2dKind : public WeightedKind {
 public:
  Conv2dKind() : WeightedKind("conv2d") {}

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    const std::string& name = node.node.name;
    const FrozenLayer& layer = *node.layer;
    if (layer.weight.encoding == Encoding::kZero) return EmitConstant(onnx, node);
    const Dims& shape = layer.shape;
    const std::string weight =
        EmitWeight(onnx, name + "/weight", layer, {shape[0], shape[3], shape[1], shape[2]}, OutputFirstOrder(shape));
    std::vector<std::string> operands = {inputs[0].name, weight};
    if (!layer.bias.empty()) operands.push_back(onnx.Floats(name + "/bias", {shape[0]}, layer.bias));
    const Window& window = node.node.spec.window;
    return {
        onnx.Node("Conv", operands, name + "/output",
                  {{"kernel_shape", {window.kernel_height, window.kernel_width}},
                   {"pads", {window.padding_height, window.padding_width, window.padding_height, window.padding_width}},
                   {"strides", {window.stride_height, window.stride_width}}},
                  {{"group", node.node.attributes.groups()}}),
        {}};
  }

 private:
  static OnnxValue EmitConstant(OnnxGraph& onnx, const DeployNode& node) {
    const Dims& shape = node.node.spec.shape;
    std::vector<float> values = node.layer->bias;
    values.resize(static_cast<size_t>(shape[2]));  // zeros without a bias
    return {onnx.ForWholeBatch(node.node.name + "/output", {shape[2], shape[0], shape[1]}, {shape[2], 1, 1}, values),
            {}};
  }
};

}  // namespace

const DeployKind& Conv2d() {
  static const auto* const kind = new Conv2dKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
