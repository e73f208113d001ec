#include "models/deploy/onnx_writer.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "models/deploy/check_frozen.h"
#include "models/deploy/deploy_kind.h"
#include "models/deploy/onnx_metadata.h"
#include "models/deploy/onnx_quantizer.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate {
namespace {

constexpr const char* kInput = "input";
constexpr const char* kOutput = "logits";
constexpr const char* kBatch = "batch";

struct OnnxVersion {
  int opset, ir;  // the ir version is the one that came with the opset
};
constexpr OnnxVersion kVersion = {13, 7};
constexpr OnnxVersion kVersionWithInt16 = {21, 10};  // the first whose DequantizeLinear takes 16-bit codes

void Declare(const std::string& name, const Dims& shape, onnx::ValueInfoProto* value) {
  value->set_name(name);
  onnx::TypeProto::Tensor* type = value->mutable_type()->mutable_tensor_type();
  type->set_elem_type(onnx::TensorProto::FLOAT);
  type->mutable_shape()->add_dim()->set_dim_param(kBatch);
  for (const int64_t dim : shape) type->mutable_shape()->add_dim()->set_dim_value(dim);
}

bool IsConstant(const DeployNode& node) {
  return node.layer != nullptr && node.layer->weight.encoding == Encoding::kZero;
}

// By node: whether the output depends on it.
std::vector<bool> LiveNodes(const FrozenNetwork& network) {
  const Graph& graph = network.graph;
  std::vector<bool> live(graph.nodes().size(), false);
  live[graph.output()] = true;
  for (int index = graph.output(); index >= 0; --index) {
    if (!live[index] || IsConstant(MakeDeployNode(network, index))) continue;
    for (const int input : graph.node(index).inputs) {
      if (input != kNetworkInput) live[input] = true;
    }
  }
  return live;
}

Dims ChannelsFirst(const Dims& shape) { return shape.size() == 3 ? Dims{shape[2], shape[0], shape[1]} : shape; }

// Where one of the sizes is 1, both layouts have the same order of elements.
bool SameInBothLayouts(const Dims& shape) { return shape.size() != 3 || shape[2] == 1 || shape[0] * shape[1] == 1; }

OnnxValue EmitInput(OnnxGraph& onnx, const Dims& shape) {
  if (shape.size() != 3) return {kInput, {}};
  const std::string name = std::string(kInput) + "/channels_first";
  if (!SameInBothLayouts(shape)) return {onnx.Node("Transpose", {kInput}, name, {{"perm", {0, 3, 1, 2}}}), {}};
  const std::string dims = onnx.Int64s(name + "/dims", {-1, shape[2], shape[0], shape[1]});
  return {onnx.Node("Reshape", {kInput, dims}, name), {}};
}

// A graph whose output is an image gives it channels last, like the input.
std::string EmitChannelsLast(OnnxGraph& onnx, const Dims& shape, const std::string& value) {
  if (shape.size() != 3) return value;
  return onnx.Node("Transpose", {value}, std::string(kOutput) + "/channels_last", {{"perm", {0, 2, 3, 1}}});
}

void EmitNodes(const FrozenNetwork& network, onnx::GraphProto* proto) {
  const Graph& graph = network.graph;
  OnnxGraph onnx(proto, kInput);
  OnnxValue input;  // written when the first node reads it
  std::vector<OnnxValue> values(graph.nodes().size());
  const std::vector<bool> live = LiveNodes(network);
  for (const Node& node : graph.nodes()) {
    if (!live[node.index]) continue;
    const DeployNode deploy_node = MakeDeployNode(network, node.index);
    std::vector<OnnxValue> inputs(node.inputs.size());
    for (size_t i = 0; i < inputs.size() && !IsConstant(deploy_node); ++i) {
      if (node.inputs[i] == kNetworkInput && input.name.empty()) input = EmitInput(onnx, graph.input_shape());
      inputs[i] = node.inputs[i] == kNetworkInput ? input : values[node.inputs[i]];
    }
    OnnxValue& value = values[node.index];
    value = FindDeployKind(node.kind->name()).Emit(onnx, deploy_node, inputs);
    if (deploy_node.output == nullptr) continue;
    value.name = EmitActivation(onnx, node.name, *deploy_node.output, ChannelsFirst(node.spec.shape), value.name);
  }
  const std::string output = EmitChannelsLast(onnx, graph.shape(graph.output()), values[graph.output()].name);
  onnx.RenameOutput(output, kOutput);
}

bool HasInt16(const onnx::GraphProto& graph) {
  return std::any_of(graph.initializer().begin(), graph.initializer().end(),
                     [](const onnx::TensorProto& tensor) { return tensor.data_type() == onnx::TensorProto::INT16; });
}

int32_t LargestCode(const FrozenLayer& layer) {
  int32_t largest = 0;
  for (const int32_t code : layer.codes) largest = std::max(largest, std::abs(code));
  return largest;
}

void NoteWideCodes(const FrozenNetwork& network, std::vector<std::string>* notes) {
  if (notes == nullptr) return;
  const std::vector<bool> live = LiveNodes(network);
  for (const auto& [index, layer] : network.layers) {
    const onnx::TensorProto::DataType type = WeightType(layer);
    if (!live[index] || layer.weight.encoding != Encoding::kInteger || type == onnx::TensorProto::INT8) continue;
    notes->push_back(network.graph.node(index).name + "/weight: codes up to +-" + std::to_string(LargestCode(layer)) +
                     (type == onnx::TensorProto::INT16 ? " are written as 16-bit integers, which need opset 21"
                                                       : " are written as float32 values, exactly scale * code"));
  }
}

void SetVersion(OnnxVersion version, onnx::ModelProto* model) {
  model->set_ir_version(version.ir);
  onnx::OperatorSetIdProto* opset = model->add_opset_import();
  opset->set_domain("");
  opset->set_version(version.opset);
}

std::string Serialized(const onnx::ModelProto& model) {
  if (model.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw InvalidArgument("onnx: expected a network of less than 2 GiB, got ", model.ByteSizeLong(), " bytes");
  }
  std::string bytes;
  if (!model.SerializeToString(&bytes)) throw Internal("onnx: expected a serialized model, got none");
  return bytes;
}

}  // namespace

void WriteOnnx(const FrozenNetwork& network, const OnnxMetadata& metadata, const std::string& path,
               std::vector<std::string>* notes) {
  CheckFrozenNetwork(network);
  onnx::ModelProto model;
  model.set_producer_name("bitgate");
  model.set_producer_version(metadata.producer_version);
  onnx::GraphProto* graph = model.mutable_graph();
  graph->set_name(network.graph.name());
  Declare(kInput, network.graph.input_shape(), graph->add_input());
  Declare(kOutput, network.graph.shape(network.graph.output()), graph->add_output());
  EmitNodes(network, graph);
  SetVersion(HasInt16(*graph) ? kVersionWithInt16 : kVersion, &model);
  AddMetadata(network, metadata, &model);
  NoteWideCodes(network, notes);
  WriteFileAtomically(path, Serialized(model));
}

}  // namespace bitgate
