#include "models/deploy/kinds/weighted.h"

#include <algorithm>

namespace bitgate::deploy_kinds {
namespace {

// The weight as [outputs, positions, inputs a group].
struct WeightDims {
  int64_t outputs, positions, group_inputs, groups;

  explicit WeightDims(const DeployNode& node)
      : outputs(node.layer->shape.front()),
        positions(1),
        group_inputs(node.layer->shape.back()),
        groups(node.node.attributes.groups()) {
    for (size_t i = 1; i + 1 < node.layer->shape.size(); ++i) positions *= node.layer->shape[i];
  }

  bool is_depthwise() const { return groups > 1 && groups == outputs && group_inputs == 1; }
  int64_t Index(int64_t output, int64_t position, int64_t group_input) const {
    return (output * positions + position) * group_inputs + group_input;
  }
  int64_t FirstInput(int64_t output) const { return output / (outputs / groups) * group_inputs; }
};

// A constant can move into the bias if every window sees it everywhere: padding is zeros.
bool IsMovable(const DeployNode& node, const std::optional<float>& constant) {
  const Window& window = node.node.spec.window;
  const bool pads = window.padding_height > 0 || window.padding_width > 0;
  return constant.has_value() && (!pads || *constant == 0);
}

bool IsPruned(const FrozenLayer& layer, int64_t output) {
  if (layer.weight.encoding == Encoding::kZero) return true;
  return !layer.weight.keep.empty() && !layer.weight.keep[static_cast<size_t>(output)];
}

// The bias plus what input channels that are `removed` (all of whose constants are movable) add to it.
float BiasWith(const DeployNode& node, const WeightDims& dims, int64_t output, const Constants& input,
               const Channels& removed) {
  double sum = node.layer->bias.empty() ? 0.0 : node.layer->bias[static_cast<size_t>(output)];
  const int64_t first = dims.FirstInput(output);
  for (int64_t i = 0; i < dims.group_inputs; ++i) {
    const auto channel = static_cast<size_t>(first + i);
    if (!removed[channel] || *input[channel] == 0) continue;
    double weights = 0;
    for (int64_t position = 0; position < dims.positions; ++position) {
      weights += node.layer->values[static_cast<size_t>(dims.Index(output, position, i))];
    }
    sum += weights * *input[channel];
  }
  return static_cast<float>(sum);
}

bool AllInputsMovable(const DeployNode& node, const WeightDims& dims, int64_t output, const Constants& input) {
  const auto first = input.begin() + dims.FirstInput(output);
  return std::all_of(first, first + dims.group_inputs,
                     [&](const std::optional<float>& constant) { return IsMovable(node, constant); });
}

std::vector<int64_t> Selected(const Channels& keep) {
  std::vector<int64_t> indices;
  for (size_t i = 0; i < keep.size(); ++i) {
    if (keep[i]) indices.push_back(static_cast<int64_t>(i));
  }
  return indices;
}

// Takes rows of outputs and columns of inputs; a group's only input stays with its output.
template <class T>
void SelectWeights(const WeightDims& dims, const Channels& kept_input, const Channels& kept_output,
                   std::vector<T>* weights) {
  if (weights->empty()) return;
  const std::vector<int64_t> inputs =
      dims.groups > 1 ? Selected(Channels(dims.group_inputs, true)) : Selected(kept_input);
  std::vector<T> result;
  for (const int64_t output : Selected(kept_output)) {
    for (int64_t position = 0; position < dims.positions; ++position) {
      for (const int64_t input : inputs) {
        result.push_back((*weights)[static_cast<size_t>(dims.Index(output, position, input))]);
      }
    }
  }
  *weights = std::move(result);
}

void SelectScales(const Channels& kept_output, std::vector<float>* scales) {
  if (scales->empty()) return;
  std::vector<float> result;
  for (const int64_t output : Selected(kept_output)) result.push_back((*scales)[static_cast<size_t>(output)]);
  *scales = std::move(result);
}

}  // namespace

Constants WeightedKind::OutputConstants(const DeployNode& node, const std::vector<Constants>& inputs) const {
  const WeightDims dims(node);
  Constants constants(static_cast<size_t>(dims.outputs));
  const Channels all(inputs[0].size(), true), none(inputs[0].size(), false);
  for (int64_t output = 0; output < dims.outputs; ++output) {
    const bool is_pruned = IsPruned(*node.layer, output);
    if (!is_pruned && !AllInputsMovable(node, dims, output, inputs[0])) continue;
    constants[static_cast<size_t>(output)] = BiasWith(node, dims, output, inputs[0], is_pruned ? none : all);
  }
  return constants;
}

std::vector<Channels> WeightedKind::NeededInputs(const DeployNode& node, const std::vector<Constants>& inputs,
                                                 const Channels& needed) const {
  const WeightDims dims(node);
  if (dims.is_depthwise()) return {needed};
  Channels result;
  for (const std::optional<float>& constant : inputs[0]) {
    result.push_back(dims.groups > 1 || !IsMovable(node, constant));
  }
  return {result};
}

Channels WeightedKind::KeptOutput(const DeployNode& node, const std::vector<Channels>& kept_inputs,
                                  const Channels& needed) const {
  const WeightDims dims(node);
  if (dims.is_depthwise()) return kept_inputs[0];
  return dims.groups > 1 ? Channels(needed.size(), true) : needed;
}

void WeightedKind::RemoveChannels(const DeployNode& node, const Channels& kept_input, const Constants& input,
                                  const Channels& kept_output, Attributes* attributes, FrozenLayer* layer) const {
  const WeightDims dims(node);
  Channels removed = kept_input;
  removed.flip();
  const bool is_depthwise = dims.is_depthwise();
  std::vector<float> bias;
  bool needs_bias = attributes->bias();
  Channels keep;
  for (const int64_t output : Selected(kept_output)) {
    bias.push_back(BiasWith(node, dims, output, input, removed));
    needs_bias = needs_bias || bias.back() != 0;
    keep.push_back(!IsPruned(*node.layer, output));
  }
  SelectWeights(dims, kept_input, kept_output, &layer->codes);
  SelectWeights(dims, kept_input, kept_output, &layer->values);
  SelectScales(kept_output, &layer->scales);
  layer->weight.keep = keep;
  layer->bias = needs_bias ? bias : std::vector<float>();
  layer->shape.front() = static_cast<int64_t>(keep.size());
  if (dims.groups == 1) layer->shape.back() = static_cast<int64_t>(Selected(kept_input).size());
  attributes->set_channels(layer->shape.front());
  if (is_depthwise) attributes->set_groups(layer->shape.front());
  if (needs_bias != attributes->bias()) attributes->set_bias(needs_bias);
}

}  // namespace bitgate::deploy_kinds
