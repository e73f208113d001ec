#include "models/jobs/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/tensor/copy.h"
#include "runtime/tensor/safetensors.h"

namespace bitgate::jobs {
namespace {

constexpr char kFloat[] = "F32";
constexpr size_t kMostNames = 20;  // of one kind of fault in a message

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
  const Dims image = FlattenedImage(graph, node.inputs[0]);  // of a sum
  for (int input : node.inputs) {
    if (FlattenedImage(graph, input) == image) continue;
    throw InvalidArgument("float weights: expected sums of features in the same order, got node ", node.name,
                          " that adds an image made flat to other features");
  }
  return image;
}

// A parameter on both sides.
struct Layout {
  std::string parameter, tensor;
  const Node* node;
  bool is_weight;
  Dims shape, file_shape;
  int64_t outer = 1, first = 1, second = 1;  // [outer, first, second] in the file, [outer, second, first] here
  std::string reorder{};
};

Layout LayoutOf(const Graph& graph, const Node& node, const ParameterSpec& spec) {
  Layout layout{node.name + "/" + spec.suffix,
                node.name + "." + spec.suffix,
                &node,
                spec.suffix == "weight",
                spec.shape,
                spec.shape};
  layout.outer = ElementCount(layout.parameter, spec.shape);
  if (!layout.is_weight || spec.shape.size() < 2) return layout;
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

// Of a node's weight; -1: the method leaves it alone.
int WeightSite(Network& network, const Layout& layout) {
  const std::vector<Site>& sites = network.method().sites();
  for (size_t i = 0; layout.is_weight && i < sites.size(); ++i) {
    if (sites[i].role == Role::kWeight && sites[i].node == layout.node->index) return static_cast<int>(i);
  }
  return -1;
}

Tensor FloatValue(Network& network, const Layout& layout) {
  const int site = WeightSite(network, layout);
  return site >= 0 ? network.method().FloatWeight(network.context(), site)
                   : network.parameter(layout.parameter).value.Detached();
}

void SetFloatValue(Network& network, const Layout& layout, const std::vector<float>& values) {
  const Tensor tensor = FromHost(network.context(), values, Shape(layout.shape));
  const int site = WeightSite(network, layout);
  if (site >= 0) {
    network.method().FromFloat(network.context(), site, tensor);
  } else {
    CopyInto(network.context(), network.parameter(layout.parameter).value, tensor);
  }
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

void CheckTensors(const SafetensorsFile& file, const std::string& network, const std::vector<Layout>& layouts) {
  std::vector<std::string> missing, misshaped, superfluous = file.names();
  superfluous.erase(std::remove_if(superfluous.begin(), superfluous.end(), IsCounter), superfluous.end());
  for (const Layout& layout : layouts) {
    if (!file.Contains(layout.tensor)) {
      missing.push_back(layout.tensor + " " + DimsText(layout.file_shape));
      continue;
    }
    superfluous.erase(std::remove(superfluous.begin(), superfluous.end(), layout.tensor), superfluous.end());
    const SafetensorsEntry entry = file.Entry(layout.tensor);
    if (entry.dtype == kFloat && entry.shape == layout.file_shape) continue;
    misshaped.push_back(layout.tensor + " " + entry.dtype + " " + DimsText(entry.shape) + " instead of " + kFloat +
                        " " + DimsText(layout.file_shape));
  }
  const std::string faults =
      Listed("missing", missing) + Listed("of another shape or type", misshaped) + Listed("unknown", superfluous);
  if (faults.empty()) return;
  throw FailedPrecondition(file.path(), ": expected the float weights of network '", network,
                           "' and nothing else, got ", "others", faults);
}

std::vector<float> ReadValues(const SafetensorsFile& file, const Layout& layout) {
  const SafetensorsEntry entry = file.Entry(layout.tensor);
  std::vector<float> values(entry.bytes / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), entry.data, entry.bytes);
  return SwapInner(values, layout.outer, layout.first, layout.second);
}

}  // namespace

std::vector<LoadedWeight> LoadFloatWeights(Network& network, const std::string& path) {
  if (network.frozen()) {
    throw FailedPrecondition("float weights: expected a network that is not frozen to load ", path,
                             " into, got a frozen one, whose bits were chosen for other weights");
  }
  const SafetensorsFile file = SafetensorsFile::Open(path);
  const auto format = file.metadata().find("format");
  if (format != file.metadata().end() && format->second == "bitgate") {
    throw FailedPrecondition(path, ": expected float weights with PyTorch's names, got a checkpoint of Bitgate's own");
  }
  const std::vector<Layout> layouts = LayoutsOf(network.graph());
  CheckTensors(file, network.graph().name(), layouts);
  std::vector<std::vector<float>> values;
  std::vector<std::string> bad;
  for (const Layout& layout : layouts) {
    values.push_back(ReadValues(file, layout));
    const bool finite =
        std::all_of(values.back().begin(), values.back().end(), [](float value) { return std::isfinite(value); });
    if (!finite) bad.push_back(layout.tensor);
  }
  if (!bad.empty()) throw DataLoss(path, ": expected finite values", Listed("not finite", bad));
  std::vector<LoadedWeight> loaded;
  for (size_t i = 0; i < layouts.size(); ++i) {
    SetFloatValue(network, layouts[i], values[i]);
    loaded.push_back({layouts[i].parameter, layouts[i].tensor, layouts[i].file_shape, layouts[i].reorder});
  }
  return loaded;
}

void WriteFloatWeights(Network& network, const std::string& path) {
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, SafetensorsEntry> entries;
  for (const Layout& layout : LayoutsOf(network.graph())) {
    std::vector<float>& ours = values[layout.tensor];
    ours = SwapInner(ToHost<float>(network.context(), FloatValue(network, layout)), layout.outer, layout.second,
                     layout.first);
    entries[layout.tensor] = {kFloat, layout.file_shape, reinterpret_cast<const std::byte*>(ours.data()),
                              ours.size() * sizeof(float)};
  }
  WriteSafetensors(path, entries, {{"format", "pt"}});  // what PyTorch's own files say
}

}  // namespace bitgate::jobs
