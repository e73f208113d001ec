#include "models/deploy/fold_batch_norm.h"

#include <cmath>

#include "models/graph/fold.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

void CheckNorm(const std::string& where, size_t channels, const BatchNormValues& norm) {
  const auto check_size = [&](const char* name, const std::vector<float>& values) {
    if (values.size() == channels) return;
    throw InvalidArgument(where, ": ", name, ": expected ", channels, " elements, got ", values.size());
  };
  check_size("gamma", norm.gamma);
  check_size("beta", norm.beta);
  check_size("running_mean", norm.running_mean);
  check_size("running_variance", norm.running_variance);
  for (const float variance : norm.running_variance) {
    if (variance + norm.epsilon > 0) continue;
    throw InvalidArgument(where, ": running_variance: expected more than ", -norm.epsilon, ", got ", variance);
  }
}

void CheckCodeRange(const std::string& where, const Fixed& weight) {
  if (weight.encoding != Encoding::kInteger || weight.qmin == -weight.qmax) return;
  throw InvalidArgument(where, ": weight codes: expected a range that is symmetric around 0, got ", weight.qmin, " to ",
                        weight.qmax);
}

struct Row {
  size_t begin, end;
};

void FoldIntoCodes(size_t channel, Row row, double gain, FrozenLayer* layer) {
  float scale = static_cast<float>(layer->weight.scale * std::fabs(gain));
  int32_t sign = gain < 0 ? -1 : 1;
  if (scale == 0) {
    scale = 1;
    sign = 0;
  }
  layer->scales[channel] = scale;
  for (size_t i = row.begin; i < row.end; ++i) {
    layer->codes[i] *= sign;
    layer->values[i] = scale * static_cast<float>(layer->codes[i]);
  }
}

void FoldIntoValues(Row row, double gain, FrozenLayer* layer) {
  for (size_t i = row.begin; i < row.end; ++i) layer->values[i] = static_cast<float>(layer->values[i] * gain);
}

}  // namespace

FrozenLayer FoldNormIntoWeight(const std::string& where, const FrozenLayer& layer, const BatchNormValues& norm) {
  const auto channels = static_cast<size_t>(layer.shape.front());
  CheckNorm(where, channels, norm);
  CheckCodeRange(where, layer.weight);
  FrozenLayer folded = layer;
  const bool is_integer = layer.weight.encoding == Encoding::kInteger;
  if (is_integer) folded.scales.resize(channels);
  if (layer.weight.encoding == Encoding::kClip) folded.weight.encoding = Encoding::kFloat;
  folded.bias.resize(channels);  // zeros without a bias
  const size_t elements = layer.values.size() / channels;
  for (size_t o = 0; o < channels; ++o) {
    const double gain = norm.gamma[o] / std::sqrt(norm.running_variance[o] + norm.epsilon);
    const double bias = static_cast<double>(folded.bias[o]) - norm.running_mean[o];
    folded.bias[o] = static_cast<float>(norm.beta[o] + bias * gain);
    const Row row = {o * elements, (o + 1) * elements};
    if (is_integer) {
      FoldIntoCodes(o, row, gain, &folded);
    } else {
      FoldIntoValues(row, gain, &folded);
    }
  }
  return folded;
}

FrozenNetwork FoldNormsIntoWeights(const FrozenNetwork& network, const std::map<int, BatchNormValues>& norms) {
  const Graph& graph = network.graph;
  FrozenNetwork folded{FoldBatchNorms(graph), {}, {}};
  for (const Node& node : folded.graph.nodes()) {
    const int layer_index = graph.node(node.name).index;
    const int norm_index = graph.NormBehind(layer_index);
    const bool has_norm = norm_index != kNoNode;
    const auto activation = network.activations.find(has_norm ? norm_index : layer_index);
    if (activation != network.activations.end()) folded.activations[node.index] = activation->second;
    const auto layer = network.layers.find(layer_index);
    if (layer == network.layers.end()) continue;
    if (!has_norm) {
      folded.layers[node.index] = layer->second;
      continue;
    }
    const std::string where = "frozen network '" + graph.name() + "': node '" + graph.node(norm_index).name + "'";
    const auto norm = norms.find(norm_index);
    if (norm == norms.end()) throw InvalidArgument(where, ": expected the values of a batch norm, got none");
    folded.layers[node.index] = FoldNormIntoWeight(where, layer->second, norm->second);
  }
  return folded;
}

}  // namespace bitgate
