#include "models/jobs/weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "models/jobs/model.h"
#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/safetensors.h"

namespace bitgate::jobs {
namespace {

constexpr char kFloat[] = "F32";
constexpr char kVariance[] = "running_variance";
constexpr char kParallelPrefix[] = "module.";  // what torch.nn.DataParallel puts before all names
constexpr size_t kMostNames = 20;              // of one kind of fault in a message

// The image [height, width, channels] that `tensor` is in flat form, unless flat is its nature or the orders agree.
Dims FlattenedImage(const Graph& graph, int tensor) {
  if (tensor == kNetworkInput || graph.shape(tensor).size() != 1) return {};
  const Node& node = graph.node(tensor);
  const LayerTraits& traits = node.kind->traits();
  if (traits.has_weight) return {};
  if (traits.keeps_channels) {
    const Dims& input = graph.shape(node.inputs[0]);
    if (input.size() == 1) return FlattenedImage(graph, node.inputs[0]);
    const bool reordered = input[0] * input[1] > 1 && input[2] > 1;
    return reordered && ElementCount(node.name, input) == graph.shape(tensor)[0] ? input : Dims();
  }
  const Dims image = FlattenedImage(graph, node.inputs[0]);
  if (!image.empty() && graph.shape(node.inputs[0]) != graph.shape(tensor)) {
    throw InvalidArgument("float weights: expected an image made flat to keep its ", graph.shape(node.inputs[0])[0],
                          " features, got node ", node.name, " that makes ", graph.shape(tensor)[0], " of them");
  }
  for (int input : node.inputs) {  // of a sum
    if (FlattenedImage(graph, input) == image) continue;
    throw InvalidArgument("float weights: expected sums of features in the same order, got node ", node.name,
                          " that adds an image made flat to other features");
  }
  return image;
}

// A parameter on both sides.
struct Layout {
  std::string parameter, tensor;
  int node;
  std::string suffix;
  Dims shape, file_shape;
  int64_t outer = 1, first = 1, second = 1;  // [outer, first, second] in the file, [outer, second, first] here
  std::string reorder{};
};

// What PyTorch calls a node's parameter.
std::string SuffixInFile(const std::string& suffix) {
  static const auto& names =
      *new std::map<std::string, std::string>{{"gamma", "weight"}, {"beta", "bias"}, {kVariance, "running_var"}};
  const auto found = names.find(suffix);
  return found == names.end() ? suffix : found->second;
}

Layout LayoutOf(const Graph& graph, const Node& node, const ParameterSpec& spec) {
  Layout layout{node.name + "/" + spec.suffix,
                node.name + "." + SuffixInFile(spec.suffix),
                node.index,
                spec.suffix,
                spec.shape,
                spec.shape};
  layout.outer = ElementCount(layout.parameter, spec.shape);
  if (spec.suffix != "weight" || spec.shape.size() < 2) return layout;
  const int64_t out = spec.shape[0];
  if (spec.shape.size() == 4) {
    const int64_t height = spec.shape[1], width = spec.shape[2], in = spec.shape[3];
    layout.file_shape = {out, in, height, width};
    if (in > 1 && height * width > 1) {
      layout.reorder = "OIHW to OHWI";
      layout.outer = out, layout.first = in, layout.second = height * width;
    }
  } else if (const Dims image = FlattenedImage(graph, node.inputs[0]); !image.empty()) {
    layout.reorder = "CHW to HWC";
    layout.outer = out, layout.first = image[2], layout.second = image[0] * image[1];
  }
  return layout;
}

std::vector<Layout> LayoutsOf(const Graph& graph) {
  std::vector<Layout> layouts;
  for (const Node& node : graph.nodes()) {
    for (const ParameterSpec& spec : node.spec.parameters) layouts.push_back(LayoutOf(graph, node, spec));
  }
  return layouts;
}

// [outer, first, second] to [outer, second, first].
std::vector<float> SwapInner(const std::vector<float>& values, int64_t outer, int64_t first, int64_t second) {
  std::vector<float> swapped;
  swapped.reserve(values.size());
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t j = 0; j < second; ++j) {
      for (int64_t i = 0; i < first; ++i) swapped.push_back(values[(o * first + i) * second + j]);
    }
  }
  return swapped;
}

std::vector<float> FileValues(Network& network, const Layout& layout) {
  const Tensor value = network.Float(layout.node, layout.suffix);
  return SwapInner(ToHost<float>(network.context(), value), layout.outer, layout.second, layout.first);
}

bool IsCounter(const std::string& name) {
  constexpr char kEnding[] = ".num_batches_tracked";
  const size_t length = sizeof kEnding - 1;
  return name.size() > length && name.compare(name.size() - length, length, kEnding) == 0;
}

// "; missing: a, b and 3 more", or nothing.
std::string Listed(const char* fault, const std::vector<std::string>& names) {
  std::string text;
  for (size_t i = 0; i < std::min(names.size(), kMostNames); ++i) text += (i ? ", " : "") + names[i];
  if (names.size() > kMostNames) text += " and " + std::to_string(names.size() - kMostNames) + " more";
  return names.empty() ? "" : std::string("; ") + fault + ": " + text;
}

// A tensor of a file, under its name there.
struct Stored {
  std::string name, dtype;
  Dims shape;
  std::function<std::vector<float>()> read;
};

using StoredTensors = std::map<std::string, Stored>;  // by the name without prefix

// How long the prefix is that all names have, unless the network's nodes have it themselves.
size_t PrefixLength(const std::vector<std::string>& names, const Graph& graph) {
  const size_t length = sizeof kParallelPrefix - 1;
  const auto has_prefix = [&](const std::string& name) { return name.compare(0, length, kParallelPrefix) == 0; };
  return std::all_of(names.begin(), names.end(), has_prefix) && !has_prefix(graph.node(0).name) ? length : 0;
}

std::vector<float> EntryValues(const SafetensorsEntry& entry) {
  std::vector<float> values(entry.bytes / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), entry.data, entry.bytes);
  return values;
}

StoredTensors TensorsOf(const SafetensorsFile& file, const Graph& graph) {
  const std::vector<std::string> names = file.names();
  const size_t prefix = PrefixLength(names, graph);
  StoredTensors tensors;
  for (const std::string& name : names) {
    if (IsCounter(name)) continue;
    const SafetensorsEntry entry = file.Entry(name);
    tensors[name.substr(prefix)] = {name, entry.dtype, entry.shape, [entry] { return EntryValues(entry); }};
  }
  return tensors;
}

// As if the network had been written.
StoredTensors TensorsOf(Network& network) {
  StoredTensors tensors;
  for (const Layout& layout : LayoutsOf(network.graph())) {
    tensors[layout.tensor] = {layout.parameter, kFloat, layout.file_shape,
                              [&network, layout] { return FileValues(network, layout); }};
  }
  return tensors;
}

void CheckTensors(const std::string& path, const StoredTensors& tensors, const std::string& network,
                  const std::vector<Layout>& layouts) {
  std::vector<std::string> missing, misshaped, superfluous;
  StoredTensors left = tensors;
  for (const Layout& layout : layouts) {
    const auto found = tensors.find(layout.tensor);
    left.erase(layout.tensor);
    if (found == tensors.end()) {
      missing.push_back(layout.tensor + " " + DimsText(layout.file_shape));
    } else if (const Stored& tensor = found->second; tensor.dtype != kFloat || tensor.shape != layout.file_shape) {
      misshaped.push_back(tensor.name + " " + tensor.dtype + " " + DimsText(tensor.shape) + " instead of " + kFloat +
                          " " + DimsText(layout.file_shape));
    }
  }
  for (const auto& [name, tensor] : left) superfluous.push_back(tensor.name);
  const std::string faults =
      Listed("missing", missing) + Listed("of another shape or type", misshaped) + Listed("unknown", superfluous);
  if (faults.empty()) return;
  throw FailedPrecondition(path, ": expected the float weights of network '", network, "' and nothing else, got ",
                           "others", faults);
}

// The values of each parameter, in the network's layout.
std::vector<std::vector<float>> ReadValues(const std::string& path, const StoredTensors& tensors,
                                           const std::vector<Layout>& layouts) {
  std::vector<std::vector<float>> read;
  std::vector<std::string> infinite, negative;
  for (const Layout& layout : layouts) {
    const Stored& tensor = tensors.at(layout.tensor);
    const std::vector<float> values = tensor.read();
    const auto finite = [](float value) { return std::isfinite(value); };
    if (!std::all_of(values.begin(), values.end(), finite)) {
      infinite.push_back(tensor.name);
    } else if (layout.suffix == kVariance && std::any_of(values.begin(), values.end(), [](float v) { return v < 0; })) {
      negative.push_back(tensor.name);
    }
    read.push_back(SwapInner(values, layout.outer, layout.first, layout.second));
  }
  const std::string faults = Listed("not finite", infinite) + Listed("variances below 0", negative);
  if (faults.empty()) return read;
  throw DataLoss(path, ": expected finite values", negative.empty() ? "" : " and variances of at least 0", faults);
}

std::vector<LoadedWeight> Take(Network& network, const std::string& path, const StoredTensors& tensors) {
  const std::vector<Layout> layouts = LayoutsOf(network.graph());
  CheckTensors(path, tensors, network.graph().name(), layouts);
  const std::vector<std::vector<float>> read = ReadValues(path, tensors, layouts);
  std::vector<Tensor> values;  // all of them before the first is set, for they may not fit the device
  for (size_t i = 0; i < layouts.size(); ++i) {
    values.push_back(FromHost(network.context(), read[i], Shape(layouts[i].shape)));
  }
  // Backwards: a weight is initialised with the batch norm behind it.
  for (size_t i = layouts.size(); i-- > 0;) network.SetFloat(layouts[i].node, layouts[i].suffix, values[i]);
  std::vector<LoadedWeight> loaded;
  for (const Layout& layout : layouts) {
    const Stored& tensor = tensors.at(layout.tensor);
    loaded.push_back({layout.parameter, tensor.name, tensor.shape, layout.reorder});
  }
  return loaded;
}

std::vector<LoadedWeight> TakeFromCheckpoint(Network& network, const std::string& path) {
  const std::unique_ptr<Model> model = Model::Open(path, Machine());
  if (model->network().frozen()) {
    throw FailedPrecondition(path, ": expected float weights, or a checkpoint that is not frozen, got a frozen one");
  }
  Take(network, path, TensorsOf(model->network()));
  std::vector<LoadedWeight> loaded;
  for (const Layout& layout : LayoutsOf(network.graph())) {
    loaded.push_back({layout.parameter, layout.parameter, layout.shape, ""});
  }
  return loaded;
}

}  // namespace

std::string FormatTable(const std::vector<LoadedWeight>& loaded) {
  std::vector<std::array<std::string, 4>> lines = {{"parameter", "tensor", "shape", "reordered"}};
  for (const LoadedWeight& weight : loaded) {
    lines.push_back({weight.parameter, weight.tensor, DimsText(weight.shape), weight.reorder});
  }
  std::array<size_t, 4> widths = {};
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::string text;
  for (const auto& line : lines) {
    std::string row;
    for (size_t i = 0; i < line.size(); ++i) row += line[i] + std::string(widths[i] - line[i].size() + 2, ' ');
    text += row.substr(0, row.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::vector<LoadedWeight> LoadFloatWeights(Network& network, const std::string& path) {
  if (network.frozen()) {
    throw FailedPrecondition("float weights: expected a network that is not frozen to load ", path,
                             " into, got a frozen one, whose bits were chosen for other weights");
  }
  const SafetensorsFile file = SafetensorsFile::Open(path);
  const auto format = file.metadata().find("format");
  const bool checkpoint = format != file.metadata().end() && format->second == "bitgate";
  return checkpoint ? TakeFromCheckpoint(network, path) : Take(network, path, TensorsOf(file, network.graph()));
}

void WriteFloatWeights(Network& network, const std::string& path) {
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, SafetensorsEntry> entries;
  for (const Layout& layout : LayoutsOf(network.graph())) {
    std::vector<float>& ours = values[layout.tensor];
    ours = FileValues(network, layout);
    entries[layout.tensor] = {kFloat, layout.file_shape, reinterpret_cast<const std::byte*>(ours.data()),
                              ours.size() * sizeof(float)};
  }
  WriteSafetensors(path, entries, {{"format", "pt"}});  // what PyTorch's own files say
}

}  // namespace bitgate::jobs
