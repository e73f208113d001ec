#include "models/deploy/onnx_metadata.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

using Json = nlohmann::json;  // objects are sorted by key

const char* EncodingName(Encoding encoding) {
  switch (encoding) {
    case Encoding::kInteger:
      return "integer";
    case Encoding::kClip:
      return "clip";
    case Encoding::kZero:
      return "zero";
    case Encoding::kFloat:
      return "float";
  }
  return "unknown";
}

Json FixedJson(const Fixed& fixed) {
  Json json = {{"bits", fixed.bits}, {"encoding", EncodingName(fixed.encoding)}};
  if (fixed.encoding == Encoding::kInteger) {
    json["scale"] = fixed.scale;
    json["signed"] = fixed.is_signed;
  }
  if (fixed.encoding == Encoding::kClip) {
    json["low"] = fixed.low;
    json["high"] = fixed.high;
    json["signed"] = fixed.is_signed;
  }
  return json;
}

Json WeightJson(const FrozenLayer& layer) {
  Json json = FixedJson(layer.weight);
  if (!layer.scales.empty()) json["scale"] = layer.scales;
  const std::vector<bool>& keep = layer.weight.keep;
  json["channels"] = layer.shape[0];
  json["kept_channels"] = keep.empty() ? layer.shape[0] : std::count(keep.begin(), keep.end(), true);
  return json;
}

Json BitsJson(const FrozenNetwork& network) {
  Json json = Json::object();
  for (const auto& [index, layer] : network.layers) {
    json[network.graph.node(index).name + "/weight"] = WeightJson(layer);
  }
  for (const auto& [index, fixed] : network.activations) {
    json[network.graph.node(network.graph.ProducingLayer(index)).name + "/output"] = FixedJson(fixed);
  }
  return json;
}

// One value for each channel (of a flat input: feature), where the graph may have none or one for all.
std::vector<double> PerChannel(const google::protobuf::RepeatedField<double>& values, int64_t channels, double absent) {
  if (values.size() <= 1) return std::vector<double>(channels, values.empty() ? absent : values[0]);
  return {values.begin(), values.end()};
}

Json PreprocessingJson(const Graph& graph) {
  const Dims& shape = graph.input_shape();
  const Preprocessing& preprocessing = graph.preprocessing();
  return {{"layout", shape.size() == 3 ? "NHWC" : "NF"},
          {"shape", shape},
          {"scale", preprocessing.scale()},
          {"mean", PerChannel(preprocessing.mean(), shape.back(), 0)},
          {"std", PerChannel(preprocessing.std(), shape.back(), 1)}};
}

}  // namespace

void AddMetadata(const FrozenNetwork& network, const OnnxMetadata& metadata, onnx::ModelProto* model) {
  std::map<std::string, std::string> entries = {{"bitgate.version", metadata.producer_version},
                                                {"bitgate.recipe", metadata.recipe},
                                                {"bitgate.bits", BitsJson(network).dump()},
                                                {"bitgate.preprocessing", PreprocessingJson(network.graph).dump()}};
  for (const auto& [key, value] : metadata.extra) {
    if (!entries.emplace(key, value).second) {
      throw InvalidArgument("onnx: metadata: expected a key of its own, got '", key, "'");
    }
  }
  for (const auto& [key, value] : entries) {
    onnx::StringStringEntryProto* entry = model->add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
}

}  // namespace bitgate
