#include "models/deploy/onnx_graph.h"

#include "runtime/base/error.h"

namespace bitgate {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data of ONNX tensors is little-endian");

onnx::TensorProto* OnnxGraph::AddInitializer(const std::string& name, onnx::TensorProto::DataType data_type,
                                             const Dims& dims) {
  onnx::TensorProto* tensor = graph_->add_initializer();
  tensor->set_name(name);
  tensor->set_data_type(data_type);
  for (const int64_t dim : dims) tensor->add_dims(dim);
  return tensor;
}

std::string OnnxGraph::Floats(const std::string& name, const Dims& dims, const std::vector<float>& values) {
  onnx::TensorProto* tensor = AddInitializer(name, onnx::TensorProto::FLOAT, dims);
  tensor->set_raw_data(values.data(), values.size() * sizeof(float));
  return name;
}

std::string OnnxGraph::Int64s(const std::string& name, const std::vector<int64_t>& values) {
  onnx::TensorProto* tensor = AddInitializer(name, onnx::TensorProto::INT64, {static_cast<int64_t>(values.size())});
  tensor->set_raw_data(values.data(), values.size() * sizeof(int64_t));
  return name;
}

std::string OnnxGraph::Bytes(const std::string& name, onnx::TensorProto::DataType data_type, const Dims& dims,
                             const std::string& bytes) {
  AddInitializer(name, data_type, dims)->set_raw_data(bytes);
  return name;
}

std::string OnnxGraph::Node(const std::string& op, const std::vector<std::string>& inputs, const std::string& output,
                            const std::vector<std::pair<std::string, std::vector<int64_t>>>& lists,
                            const std::vector<std::pair<std::string, int64_t>>& integers) {
  onnx::NodeProto* node = graph_->add_node();
  node->set_op_type(op);
  node->set_name(output);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  for (const auto& [name, values] : lists) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INTS);
    for (const int64_t value : values) attribute->add_ints(value);
  }
  for (const auto& [name, value] : integers) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_type(onnx::AttributeProto::INT);
    attribute->set_i(value);
  }
  return output;
}

std::string OnnxGraph::Batch() {
  if (batch_.empty()) {
    const std::string shape = Node("Shape", {batch_source_}, "batch/shape");
    batch_ = Node("Gather", {shape, Int64s("batch/index", {0})}, "batch/size");
  }
  return batch_;
}

std::string OnnxGraph::ForWholeBatch(const std::string& name, const Dims& dims, const Dims& value_dims,
                                     const std::vector<float>& values) {
  Dims constant_dims = value_dims;
  constant_dims.insert(constant_dims.begin(), 1);
  const std::string constant = Floats(name + "/constant", constant_dims, values);
  const std::string rest = Int64s(name + "/dims", dims);
  const std::string shape = Node("Concat", {Batch(), rest}, name + "/shape", {}, {{"axis", 0}});
  return Node("Expand", {constant, shape}, name);
}

void OnnxGraph::RenameOutput(const std::string& from, const std::string& to) {
  for (onnx::NodeProto& node : *graph_->mutable_node()) {
    if (node.output(0) != from) continue;
    node.set_output(0, to);
    return;
  }
  throw Internal("onnx: expected a node with output '", from, "', got none");
}

}  // namespace bitgate
