#include "models/graph/builder.h"

#include "runtime/base/error.h"

namespace bitgate {

Preprocessing Scaled(double scale) { return Normalized(scale, {}, {}); }

Preprocessing Normalized(double scale, const std::vector<double>& mean, const std::vector<double>& std) {
  Preprocessing preprocessing;
  preprocessing.set_scale(scale);
  preprocessing.mutable_mean()->Add(mean.begin(), mean.end());
  preprocessing.mutable_std()->Add(std.begin(), std.end());
  return preprocessing;
}

GraphBuilder::GraphBuilder(const std::string& name) { proto_.set_name(name); }

std::string GraphBuilder::Input(const Dims& shape, const Preprocessing& preprocessing, const std::string& name) {
  InputProto& input = *proto_.mutable_input();
  input.set_name(name);
  input.mutable_shape()->Assign(shape.begin(), shape.end());
  *input.mutable_preprocessing() = preprocessing;
  return name;
}

std::string GraphBuilder::Node(const std::string& name, const std::string& kind, const std::vector<std::string>& inputs,
                               const AttributeValues& attributes) {
  NodeProto node;
  node.set_name(name);
  node.set_kind(kind);
  node.mutable_input()->Assign(inputs.begin(), inputs.end());
  if (!attributes.empty()) {
    *node.mutable_attributes() = MakeAttributes("graph '" + proto_.name() + "': node '" + name + "'", attributes);
  }
  *proto_.add_node() = std::move(node);
  return name;
}

NodeProto& GraphBuilder::last() {
  if (proto_.node().empty()) throw FailedPrecondition("graph '", proto_.name(), "': expected a node, got none yet");
  return *proto_.mutable_node(proto_.node_size() - 1);
}

TensorPrecision& GraphBuilder::weight() { return *last().mutable_weight(); }
TensorPrecision& GraphBuilder::output() { return *last().mutable_output(); }

}  // namespace bitgate
