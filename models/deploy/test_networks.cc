#include "models/deploy/test_networks.h"

#include <cmath>

#include "models/graph/site.h"

namespace bitgate {
namespace {

float PowerOfTwo(float value) { return std::exp2(std::round(std::log2(value))); }

void FillWeights(const Fixed& fixed, float range, TestRandom* random, FrozenLayer* layer) {
  const int64_t elements = ElementCount("test", layer->shape);
  for (int64_t i = 0; i < elements; ++i) {
    if (fixed.encoding == Encoding::kInteger) {
      layer->codes.push_back(random->Integer(fixed.qmin, fixed.qmax));
      layer->values.push_back(fixed.scale * static_cast<float>(layer->codes.back()));
    } else {
      layer->values.push_back(random->Uniform(-range, range));
    }
  }
}

void PruneChannel(int64_t channel, FrozenLayer* layer) {
  const auto row = static_cast<int64_t>(layer->values.size()) / layer->shape[0];
  layer->weight.keep[static_cast<size_t>(channel)] = false;
  for (int64_t i = channel * row; i < (channel + 1) * row; ++i) {
    layer->values[static_cast<size_t>(i)] = 0;
    if (!layer->codes.empty()) layer->codes[static_cast<size_t>(i)] = 0;
  }
}

FrozenLayer MakeLayer(const Node& node, const TestNetworkOptions& options, bool prunable, TestRandom* random) {
  FrozenLayer layer;
  layer.shape = node.spec.parameters[0].shape;
  const float range = 2.5f / std::sqrt(static_cast<float>(node.spec.parameters[0].fan_in));
  const int bits = options.weight_bits + (options.sign_bit_apart ? 1 : 0);
  layer.weight = MakeTestFixed(bits, true, range * random->Uniform(0.8f, 1.2f), options.exact);
  layer.weight.bits = options.weight_bits;
  FillWeights(layer.weight, range, random, &layer);
  layer.weight.keep.assign(static_cast<size_t>(layer.shape[0]), true);
  for (int64_t o = 0; o < layer.shape[0] && node.attributes.bias(); ++o) {
    const float bias = random->Uniform(-0.3f, 0.6f);
    layer.bias.push_back(options.exact ? std::round(bias * 64) / 64 : bias);
  }
  const bool is_zero = options.zero_layers.count(node.name) > 0;
  const bool all_pruned = is_zero || options.pruned_layers.count(node.name) > 0;
  for (int64_t o = 0; o < layer.shape[0]; ++o) {
    const bool is_chosen = random->Uniform(0, 1) < options.pruned;  // drawn in any case: the rest stays the same
    if (!all_pruned && !(prunable && is_chosen)) continue;
    PruneChannel(o, &layer);
    if (options.zero_pruned_bias && !layer.bias.empty()) layer.bias[static_cast<size_t>(o)] = 0;
  }
  if (is_zero) {
    layer.weight.encoding = Encoding::kZero;
    layer.weight.bits = 0;
    layer.codes.clear();
  }
  return layer;
}

}  // namespace

Fixed MakeTestFixed(int bits, bool is_signed, float range, bool exact) {
  Fixed fixed;
  fixed.is_signed = is_signed;
  if (bits == kTestFloat) return fixed;
  fixed.bits = bits;
  if (bits == 32) {
    fixed.encoding = Encoding::kClip;
    fixed.high = range;
    fixed.low = is_signed ? -range : 0.0f;
    return fixed;
  }
  fixed.encoding = Encoding::kInteger;
  fixed.qmax = is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
  fixed.qmin = is_signed ? -fixed.qmax : 0;
  fixed.scale = range / static_cast<float>(fixed.qmax);
  if (exact) fixed.scale = PowerOfTwo(fixed.scale);
  return fixed;
}

FrozenNetwork MakeTestNetwork(const Graph& graph, const TestNetworkOptions& options) {
  FrozenNetwork network{graph, {}, {}};
  TestRandom random(options.seed);
  std::set<int> prunable;
  for (const Site& site : QuantizationSites(graph)) {
    if (site.prunable) prunable.insert(site.layer);
    if (site.role == Role::kWeight) continue;
    network.activations[site.node] =
        MakeTestFixed(options.activation_bits, !site.nonnegative, random.Uniform(1.2f, 1.8f), options.exact);
  }
  for (const Node& node : graph.nodes()) {
    if (!node.kind->traits().has_weight) continue;
    network.layers[node.index] = MakeLayer(node, options, prunable.count(node.index) > 0, &random);
  }
  return network;
}

std::map<int, BatchNormValues> MakeTestNorms(const Graph& graph, uint32_t seed) {
  TestRandom random(seed);
  std::map<int, BatchNormValues> norms;
  for (const Node& node : graph.nodes()) {
    if (node.kind->name() != "batch_norm") continue;
    BatchNormValues& norm = norms[node.index];
    norm.epsilon = node.attributes.epsilon();
    for (int64_t c = 0; c < node.spec.shape.back(); ++c) {
      const float gamma = random.Uniform(0.5f, 1.5f);
      norm.gamma.push_back(c == 0 ? 0 : c == 1 || random.Uniform(0, 1) < 0.3f ? -gamma : gamma);
      norm.beta.push_back(random.Uniform(0, 0.8f));
      norm.running_mean.push_back(random.Uniform(-0.3f, 0.3f));
      norm.running_variance.push_back(random.Uniform(0.5f, 1.5f));
    }
  }
  return norms;
}

GraphBuilder SmallImageGraph(int64_t channels) {
  GraphBuilder b("small");
  std::string x = b.Input({8, 8, channels}, Scaled(1.0 / 255));
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 6}, {"kernel", 3}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("pool1", "max_pool", {x}, {{"kernel", 2}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 8}, {"kernel", 2}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("flatten", "flatten", {x});
  x = b.Node("fc1", "linear", {x}, {{"channels", 12}});
  x = b.Node("relu3", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", 4}});
  return b;
}

GraphBuilder NormalizedResidualGraph() {
  GraphBuilder b("normalized");
  std::string x = b.Input({6, 6, 2});
  x = b.Node("stem", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm0", "batch_norm", {x});
  const std::string skip = b.Node("relu0", "relu", {x});
  x = b.Node("conv1", "conv2d", {skip}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm1", "batch_norm", {x});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 4}, {"kernel", 3}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm2", "batch_norm", {x});
  x = b.Node("sum", "add", {x, skip});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("conv3", "conv2d", {x}, {{"channels", 6}, {"kernel", 1}, {"bias", false}});
  x = b.Node("norm3", "batch_norm", {x});
  x = b.Node("depthwise", "conv2d", {x},
             {{"channels", 6}, {"kernel", 3}, {"groups", 6}, {"padding", 1}, {"bias", false}});
  x = b.Node("norm4", "batch_norm", {x});
  x = b.Node("relu4", "relu", {x});
  x = b.Node("pool", "average_pool", {x}, {{"kernel", 3}});
  x = b.Node("flatten", "flatten", {x});
  x = b.Node("fc", "linear", {x}, {{"channels", 9}, {"bias", false}});
  x = b.Node("norm5", "batch_norm", {x});
  x = b.Node("relu5", "relu", {x});
  b.Node("head", "linear", {x}, {{"channels", 3}});
  return b;
}

}  // namespace bitgate
