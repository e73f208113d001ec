// Writes, into the folder given, a table of small networks as ONNX with inputs and the outputs that the networks
// compute before any channel is removed: models.json lists them, <name>.onnx, <name>.input and <name>.output (float32)
// hold them.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>

#include "models/deploy/fold_batch_norm.h"
#include "models/deploy/onnx_writer.h"
#include "models/deploy/prune.h"
#include "models/deploy/reference_output.h"
#include "models/deploy/test_networks.h"
#include "models/graph/test_graphs.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate {
namespace {

constexpr int kBatch = 16;
constexpr double kTieDistance = 1e-3;

std::string Bytes(const std::vector<float>& values) {
  return std::string(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

std::string BitsName(int bits) { return bits == kTestFloat ? "float" : std::to_string(bits); }

class Table {
 public:
  explicit Table(std::string folder) : folder_(std::move(folder)) {}

  // Images that come near a tie are drawn again, unless the network computes without rounding. `norms`: of the
  // network's batch norms, which are folded before it is written.
  void Add(const std::string& name, const FrozenNetwork& network, bool exact,
           const std::map<int, BatchNormValues>& norms = {}) {
    TestRandom random(7);
    std::vector<float> inputs, outputs;
    for (int accepted = 0, drawn = 0; accepted < kBatch; ++drawn) {
      if (drawn == 200 * kBatch) throw Internal(name, ": expected images away from ties, got too few");
      std::vector<float> image(ElementCount(name, network.graph.input_shape()));
      for (float& value : image) {
        value = random.Uniform(-0.2f, 1.0f);
        if (exact) value = std::round(value * 16) / 16;
      }
      const ReferenceOutput output = RunReference(network, image, norms);
      if (!exact && output.tie_distance < kTieDistance) continue;
      inputs.insert(inputs.end(), image.begin(), image.end());
      outputs.insert(outputs.end(), output.values.begin(), output.values.end());
      ++accepted;
    }
    Write(name, norms.empty() ? network : FoldNormsIntoWeights(network, norms), exact, inputs, outputs);
  }

  void Write(const std::string& name, const FrozenNetwork& network, bool exact, const std::vector<float>& inputs,
             const std::vector<float>& outputs) {
    std::vector<std::string> prune_warnings, notes;
    const FrozenNetwork small = RemovePrunedChannels(network, &prune_warnings);
    WriteOnnx(small, {"1.2.3", "recipe of " + name, {{"test.key", "value"}}}, folder_ + "/" + name + ".onnx", &notes);
    WriteFileAtomically(folder_ + "/" + name + ".input", Bytes(inputs));
    WriteFileAtomically(folder_ + "/" + name + ".output", Bytes(outputs));
    nlohmann::json entry = {{"name", name},
                            {"exact", exact},
                            {"input_shape", network.graph.input_shape()},
                            {"output_shape", network.graph.shape(network.graph.output())},
                            {"prune_warnings", prune_warnings},
                            {"notes", notes},
                            {"layers", nlohmann::json::object()}};
    for (const auto& [index, layer] : network.layers) {
      entry["layers"][network.graph.node(index).name] = {
          {"channels", layer.shape[0]}, {"kept", std::count(layer.weight.keep.begin(), layer.weight.keep.end(), true)}};
    }
    models_.push_back(entry);
  }

  void Finish() { WriteFileAtomically(folder_ + "/models.json", models_.dump(1)); }

 private:
  std::string folder_;
  nlohmann::json models_ = nlohmann::json::array();
};

Graph NoReluGraph() {
  GraphBuilder b("signed");
  std::string x = b.Input({6, 6, 2});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 5}, {"kernel", 3}, {"padding", 1}});
  x = b.Node("pool1", "max_pool", {x}, {{"kernel", 3}, {"stride", 2}, {"padding", 1}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 4}, {"kernel", {2, 3}}, {"stride", {1, 2}}, {"padding", {0, 1}}});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

Graph AveragePoolGraph() {
  GraphBuilder b("average");
  std::string x = b.Input({7, 6, 3});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 6}, {"kernel", 3}, {"bias", false}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("pool1", "average_pool", {x}, {{"kernel", 3}, {"stride", 2}, {"padding", 1}});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 7}, {"kernel", 2}, {"bias", false}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 5}, {"bias", false}});
  return b.Build();
}

// Flattened features that a sum reads, hence in our order; a depthwise and a grouped convolution before.
Graph GroupsGraph() {
  GraphBuilder b("groups");
  std::string x = b.Input({5, 5, 3});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 6}, {"kernel", 1}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("depthwise", "conv2d", {x}, {{"channels", 6}, {"kernel", 2}, {"groups", 6}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("conv3", "conv2d", {x}, {{"channels", 4}, {"kernel", 1}});
  x = b.Node("relu3", "relu", {x});
  x = b.Node("grouped", "conv2d", {x}, {{"channels", 6}, {"kernel", 3}, {"groups", 2}});
  x = b.Node("relu4", "relu", {x});
  const std::string flat = b.Node("flatten", "flatten", {x});
  x = b.Node("fc1", "linear", {flat}, {{"channels", 24}});
  x = b.Node("sum", "add", {x, flat});
  x = b.Node("relu5", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

Graph PaddedGraph() {
  GraphBuilder b("padded");
  std::string x = b.Input({6, 6, 1});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 6}, {"kernel", 3}, {"padding", 1}});
  x = b.Node("relu1", "relu", {x});
  x = b.Node("conv2", "conv2d", {x}, {{"channels", 6}, {"kernel", 3}, {"padding", 1}});
  x = b.Node("relu2", "relu", {x});
  x = b.Node("pool", "average_pool", {x});
  x = b.Node("flatten", "flatten", {x});
  b.Node("fc", "linear", {x}, {{"channels", 4}});
  return b.Build();
}

Graph FeaturesGraph() {
  GraphBuilder b("features");
  std::string x = b.Input({10});
  x = b.Node("fc1", "linear", {x}, {{"channels", 9}});
  x = b.Node("relu1", "relu", {x});
  b.Node("fc2", "linear", {x}, {{"channels", 3}});
  return b.Build();
}

Graph ImageOutputGraph() {
  GraphBuilder b("image_output");
  std::string x = b.Input({4, 5, 2});
  x = b.Node("conv1", "conv2d", {x}, {{"channels", 3}, {"kernel", 2}});
  x = b.Node("relu1", "relu", {x});
  b.Node("conv2", "conv2d", {x}, {{"channels", 4}, {"kernel", 2}});
  return b.Build();
}

void AddBitWidths(Table* table) {
  for (const bool exact : {false, true}) {
    for (const int weight_bits : {2, 4, 8, 9, 16, 32, kTestFloat}) {
      for (const int activation_bits : {2, 4, 8, 16, 32, kTestFloat}) {
        if (exact && (weight_bits > 8 || activation_bits > 8 || weight_bits * activation_bits == 0)) continue;
        TestNetworkOptions options;
        options.weight_bits = weight_bits;
        options.activation_bits = activation_bits;
        options.exact = exact;
        options.pruned = 0.3;
        options.seed = static_cast<uint32_t>(100 + weight_bits * 33 + activation_bits);
        const std::string bits = "w" + BitsName(weight_bits) + "_a" + BitsName(activation_bits);
        const std::string prefix = exact ? "exact_" : "bits_";
        table->Add(prefix + bits, MakeTestNetwork(SmallImageGraph(weight_bits == 4 ? 3 : 1).Build(), options), exact);
        if (weight_bits != 8) continue;
        options.pruned = 0;
        table->Add("signed_" + prefix + bits, MakeTestNetwork(NoReluGraph(), options), exact);
      }
    }
  }
}

void AddStructures(Table* table) {
  TestNetworkOptions options;
  const auto add = [&](const std::string& name, const Graph& graph, double pruned, uint32_t seed) {
    options.weight_bits = options.activation_bits = 4;
    options.pruned = pruned;
    options.seed = seed;
    table->Add(name, MakeTestNetwork(graph, options), false);
  };
  add("features", FeaturesGraph(), 0.4, 5);
  add("average_pool", AveragePoolGraph(), 0.4, 5);
  add("groups", GroupsGraph(), 0.2, 6);
  add("image_output", ImageOutputGraph(), 0.3, 8);
  add("residual", ResidualGraph().Build(), 0.4, 5);
  add("pruned_3_channels", SmallImageGraph(3).Build(), 0.4, 5);
  add("padded_nonzero", PaddedGraph(), 0.5, 7);
  options.zero_pruned_bias = true;
  add("padded_zero", PaddedGraph(), 0.5, 7);
}

// Batch norms folded into BSQ's codes, of nine bits with the sign at most, and into floats.
void AddFoldedNorms(Table* table) {
  const Graph graph = NormalizedResidualGraph().Build();
  for (const int weight_bits : {1, 2, 7, 8, kTestFloat}) {
    for (const int activation_bits : {4, 8, kTestFloat}) {
      for (const double pruned : {0.0, 0.2}) {
        TestNetworkOptions options;
        options.weight_bits = weight_bits;
        options.activation_bits = activation_bits;
        options.sign_bit_apart = weight_bits != kTestFloat;
        options.pruned = pruned;
        options.seed = static_cast<uint32_t>(200 + weight_bits * 33 + activation_bits);
        const std::string name = "norm_w" + BitsName(weight_bits) + "_a" + BitsName(activation_bits);
        table->Add(pruned > 0 ? "pruned_" + name : name, MakeTestNetwork(graph, options), false,
                   MakeTestNorms(graph, options.seed));
      }
    }
  }
  TestNetworkOptions options;
  options.zero_layers = {"conv2"};
  table->Add("zero_norm", MakeTestNetwork(graph, options), false, MakeTestNorms(graph, 7));
}

void AddPrunedLayers(Table* table) {
  const auto add = [&](const std::string& name, const Graph& graph, const std::set<std::string>& pruned,
                       const std::set<std::string>& zero) {
    TestNetworkOptions options;
    options.pruned_layers = pruned;
    options.zero_layers = zero;
    options.seed = 9;
    table->Add(name, MakeTestNetwork(graph, options), false);
  };
  add("zero_first", SmallImageGraph(3).Build(), {}, {"conv1"});
  add("pruned_second", SmallImageGraph(1).Build(), {"conv2"}, {});
  add("pruned_linear", SmallImageGraph(1).Build(), {"fc1"}, {});
  add("zero_last", FeaturesGraph(), {}, {"fc2"});
  add("zero_in_residual", ResidualGraph().Build(), {}, {"conv3"});
  add("pruned_conv2_in_residual", ResidualGraph().Build(), {"conv2"}, {});
  add("pruned_both_in_residual", ResidualGraph().Build(), {"conv1"}, {"conv3"});
  add("pruned_before_padding", PaddedGraph(), {"conv1"}, {});
  add("pruned_before_groups", GroupsGraph(), {"conv1"}, {});
  add("pruned_grouped", GroupsGraph(), {"grouped"}, {});
  add("image_output_zero", ImageOutputGraph(), {"conv1"}, {});
}

// Values on, beside and far from every tie of a quantizer, handed through a float identity: no sum rounds anything.
void AddTies(Table* table) {
  constexpr int64_t kFeatures = 64;
  for (const int bits : {2, 3, 4, 7, 8, 9, 16, 32}) {
    for (const bool is_signed : {false, true}) {
      GraphBuilder b("ties");
      std::string x = b.Input({kFeatures});
      x = b.Node("fc1", "linear", {x}, {{"channels", kFeatures}});
      if (!is_signed) x = b.Node("relu1", "relu", {x});
      x = b.Node("fc2", "linear", {x}, {{"channels", kFeatures}});
      FrozenNetwork network{b.Build(), {}, {}};
      FrozenLayer identity;
      identity.shape = {kFeatures, kFeatures};
      identity.values.assign(kFeatures * kFeatures, 0.0f);
      for (int64_t i = 0; i < kFeatures; ++i) identity.values[i * kFeatures + i] = 1;
      identity.bias.assign(kFeatures, 0.0f);
      network.layers[network.graph.node("fc1").index] = network.layers[network.graph.node("fc2").index] = identity;
      const Fixed fixed = MakeTestFixed(bits, is_signed, 1.1f, false);
      network.activations[network.graph.node(is_signed ? "fc1" : "relu1").index] = fixed;
      const float scale = bits == 32 ? 0.01f : fixed.scale;
      std::vector<float> inputs, outputs;
      const int codes = bits == 32 ? 130 : std::min(260, fixed.qmax + 3);
      for (int code = -codes; code <= codes; ++code) {
        for (const int far : {0, std::max(fixed.qmax - 200, 0)}) {
          const float tie = (static_cast<float>(code + (code < 0 ? -far : far)) + 0.5f) * scale;
          inputs.insert(inputs.end(), {std::nextafter(tie, -9.f), tie, std::nextafter(tie, 9.f), tie + scale / 2});
        }
      }
      inputs.insert(inputs.end(), {1e30f, -1e30f, 0.0f, -0.0f});
      inputs.resize((inputs.size() + kFeatures - 1) / kFeatures * kFeatures);
      for (size_t i = 0; i < inputs.size(); i += kFeatures) {
        const ReferenceOutput output =
            RunReference(network, std::vector<float>(inputs.begin() + i, inputs.begin() + i + kFeatures));
        outputs.insert(outputs.end(), output.values.begin(), output.values.end());
      }
      const std::string name = "ties_" + std::to_string(bits) + (is_signed ? "_signed" : "_unsigned");
      table->Write(name, network, true, inputs, outputs);
    }
  }
}

}  // namespace
}  // namespace bitgate

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: write_test_models FOLDER\n";
    return 2;
  }
  try {
    bitgate::Table table(argv[1]);
    bitgate::AddBitWidths(&table);
    bitgate::AddStructures(&table);
    bitgate::AddFoldedNorms(&table);
    bitgate::AddPrunedLayers(&table);
    bitgate::AddTies(&table);
    table.Finish();
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
