#include "models/graph/graph.h"

#include <set>

#include "google/protobuf/text_format.h"
#include "models/graph/first_error.h"
#include "models/graph/graph_validator.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{16} << 20;

}  // namespace

Graph Graph::FromProto(const GraphProto& proto) { return GraphValidator(proto).Build(); }

Graph Graph::FromText(const std::string& text, const std::string& where) {
  GraphProto proto;
  FirstError error;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&error);
  if (!parser.ParseFromString(text, &proto)) {
    throw InvalidArgument(where, ":", error.place(), ": ", error.text(), " (expected a graph in protobuf text format)");
  }
  try {
    return FromProto(proto);
  } catch (const Error& invalid) {
    throw Error(invalid.code(), where + ": " + invalid.what());
  }
}

Graph Graph::FromFile(const std::string& path) { return FromText(ReadFile(path, kMaxFileBytes), path); }

const Node& Graph::node(const std::string& name) const {
  for (const Node& node : nodes_) {
    if (node.name == name) return node;
  }
  throw NotFound("graph '", this->name(), "': expected a node's name, got '", name, "'");
}

int Graph::NormBehind(int layer) const {
  const std::vector<int>& behind = consumers(layer);
  return behind.size() == 1 && node(behind[0]).kind->traits().is_normalization ? behind[0] : kNoNode;
}

int Graph::ProducingLayer(int tensor) const {
  while (tensor != kNetworkInput && !IsLayer(tensor)) tensor = node(tensor).inputs[0];
  return tensor;
}

std::vector<int> Graph::ConsumingLayers(int tensor) const {
  std::set<int> layers;
  std::set<int> open(consumers(tensor).begin(), consumers(tensor).end());
  while (!open.empty()) {
    const int index = *open.begin();
    open.erase(open.begin());
    if (IsLayer(index)) {
      layers.insert(index);
    } else {
      open.insert(consumers(index).begin(), consumers(index).end());
    }
  }
  return {layers.begin(), layers.end()};
}

std::string Graph::ToText() const {
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string text;
  if (!printer.PrintToString(proto_, &text))
    throw Internal("graph '", name(), "': expected text, got a printing error");
  return text;
}

}  // namespace bitgate
