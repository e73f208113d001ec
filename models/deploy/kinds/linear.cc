// Linear layer: Gemm. Where ONNX has flattened an image in its own order, the weight's columns follow it.
#include "models/deploy/kinds/kinds.h"
#include "models/deploy/kinds/weighted.h"
#include "models/deploy/onnx_quantizer.h"

namespace bitgate::deploy_kinds {
namespace {

// For each feature that ONNX flattened, [channels, height, width], its place in [height, width, channels].
std::vector<int64_t> ColumnOrder(int64_t columns, const Dims& flattened) {
  std::vector<int64_t> order;
  const int64_t channels = flattened.empty() ? 1 : flattened[2];
  const int64_t positions = columns / channels;
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t position = 0; position < positions; ++position) order.push_back(position * channels + channel);
  }
  return order;
}

class LinearKind : public WeightedKind {
 public:
  LinearKind() : WeightedKind("linear") {}

  OnnxValue Emit(OnnxGraph& onnx, const DeployNode& node, const std::vector<OnnxValue>& inputs) const override {
    const std::string& name = node.node.name;
    const FrozenLayer& layer = *node.layer;
    const int64_t rows = layer.shape[0], columns = layer.shape[1];
    if (layer.weight.encoding == Encoding::kZero) return EmitConstant(onnx, node);
    std::vector<int64_t> order;
    const std::vector<int64_t> column_order = ColumnOrder(columns, inputs[0].flattened);
    for (int64_t row = 0; row < rows; ++row) {
      for (const int64_t column : column_order) order.push_back(row * columns + column);
    }
    std::vector<std::string> operands = {inputs[0].name, EmitWeight(onnx, name + "/weight", layer, layer.shape, order)};
    // Zeros without a bias: a Gemm of codes with no other operand would be run on int8, where some processors saturate
    // sums of 8-bit products.
    std::vector<float> bias = layer.bias;
    bias.resize(static_cast<size_t>(rows));
    operands.push_back(onnx.Floats(name + "/bias", {rows}, bias));
    return {onnx.Node("Gemm", operands, name + "/output", {}, {{"transB", 1}}), {}};
  }

 private:
  static OnnxValue EmitConstant(OnnxGraph& onnx, const DeployNode& node) {
    std::vector<float> values = node.layer->bias;
    values.resize(static_cast<size_t>(node.layer->shape[0]));  // zeros without a bias
    const Dims& shape = node.node.spec.shape;
    return {onnx.ForWholeBatch(node.node.name + "/output", shape, shape, values), {}};
  }
};

}  // namespace

const DeployKind& Linear() {
  static const auto* const kind = new LinearKind;
  return *kind;
}

}  // namespace bitgate::deploy_kinds
