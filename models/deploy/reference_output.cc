#include "models/deploy/reference_output.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace bitgate {
namespace {

using Values = std::vector<float>;

// Calls visit(y, x, element of the input) for the elements of a window that are not padding.
template <class Visit>
void ForWindow(const Window& window, const Dims& input, int64_t row, int64_t column, const Visit& visit) {
  for (int64_t y = 0; y < window.kernel_height; ++y) {
    for (int64_t x = 0; x < window.kernel_width; ++x) {
      const int64_t h = row * window.stride_height - window.padding_height + y;
      const int64_t w = column * window.stride_width - window.padding_width + x;
      if (h >= 0 && h < input[0] && w >= 0 && w < input[1]) visit(y, x, (h * input[1] + w) * input[2]);
    }
  }
}

Values Convolution(const Node& node, const FrozenLayer& layer, const Dims& input, const Values& in) {
  const Window& window = node.spec.window;
  const Dims& out = node.spec.shape;
  const int64_t group_inputs = layer.shape[3], group_outputs = out[2] / node.attributes.groups();
  Values result;
  for (int64_t row = 0; row < out[0]; ++row) {
    for (int64_t column = 0; column < out[1]; ++column) {
      for (int64_t o = 0; o < out[2]; ++o) {
        double sum = layer.bias.empty() ? 0.0 : layer.bias[o];
        ForWindow(window, input, row, column, [&](int64_t y, int64_t x, int64_t pixel) {
          for (int64_t i = 0; i < group_inputs; ++i) {
            const int64_t weight = ((o * window.kernel_height + y) * window.kernel_width + x) * group_inputs + i;
            sum += static_cast<double>(layer.values[weight]) * in[pixel + o / group_outputs * group_inputs + i];
          }
        });
        result.push_back(static_cast<float>(sum));
      }
    }
  }
  return result;
}

Values Linear(const FrozenLayer& layer, const Values& in) {
  Values result;
  for (int64_t o = 0; o < layer.shape[0]; ++o) {
    double sum = layer.bias.empty() ? 0.0 : layer.bias[o];
    for (size_t i = 0; i < in.size(); ++i) sum += static_cast<double>(layer.values[o * in.size() + i]) * in[i];
    result.push_back(static_cast<float>(sum));
  }
  return result;
}

Values Pool(const Node& node, bool is_max, const Dims& input, const Values& in) {
  const Dims& out = node.spec.shape;
  Values result;
  for (int64_t row = 0; row < out[0]; ++row) {
    for (int64_t column = 0; column < out[1]; ++column) {
      for (int64_t c = 0; c < out[2]; ++c) {
        double sum = 0, count = 0, largest = -std::numeric_limits<double>::infinity();
        ForWindow(node.spec.window, input, row, column, [&](int64_t, int64_t, int64_t pixel) {
          sum += in[pixel + c];
          largest = std::max<double>(largest, in[pixel + c]);
          ++count;
        });
        result.push_back(static_cast<float>(is_max ? largest : sum / count));
      }
    }
  }
  return result;
}

Values BatchNorm(const BatchNormValues& norm, const Values& in) {
  Values result;
  for (size_t i = 0; i < in.size(); ++i) {
    const size_t c = i % norm.gamma.size();
    const double normalized =
        (static_cast<double>(in[i]) - norm.running_mean[c]) / std::sqrt(norm.running_variance[c] + norm.epsilon);
    result.push_back(static_cast<float>(norm.gamma[c] * normalized + norm.beta[c]));
  }
  return result;
}

Values Compute(const FrozenNetwork& network, const Node& node, const std::vector<const Values*>& inputs,
               const std::map<int, BatchNormValues>& norms) {
  const std::string& kind = node.kind->name();
  const Dims& input = network.graph.shape(node.inputs[0]);
  Values result = *inputs[0];
  if (kind == "conv2d") return Convolution(node, network.layers.at(node.index), input, result);
  if (kind == "batch_norm") return BatchNorm(norms.at(node.index), result);
  if (kind == "linear") return Linear(network.layers.at(node.index), result);
  if (kind == "max_pool" || kind == "average_pool") return Pool(node, kind == "max_pool", input, result);
  for (size_t i = 0; i < result.size(); ++i) {
    if (kind == "relu") result[i] = result[i] > 0 ? result[i] : 0.0f;
    if (kind == "add") result[i] += (*inputs[1])[i];
  }
  return result;
}

void Quantize(const Fixed& fixed, Values* values, double* tie_distance) {
  for (float& value : *values) {
    if (fixed.encoding == Encoding::kClip) value = std::min(std::max(value, fixed.low), fixed.high);
    if (fixed.encoding == Encoding::kZero) value = 0;
    if (fixed.encoding != Encoding::kInteger) continue;
    const float steps = value / fixed.scale;
    const float code = std::nearbyint(steps);
    const bool may_move = fixed.qmax < 1 << 9 && steps > fixed.qmin - 0.6f && steps < fixed.qmax + 0.6f;
    if (may_move) *tie_distance = std::min(*tie_distance, 0.5 - std::fabs(static_cast<double>(steps) - code));
    value = fixed.scale * std::min(std::max(code, static_cast<float>(fixed.qmin)), static_cast<float>(fixed.qmax));
  }
}

}  // namespace

ReferenceOutput RunReference(const FrozenNetwork& network, const std::vector<float>& image,
                             const std::map<int, BatchNormValues>& norms) {
  ReferenceOutput output;
  std::vector<Values> values(network.graph.nodes().size());
  for (const Node& node : network.graph.nodes()) {
    std::vector<const Values*> inputs;
    for (const int input : node.inputs) inputs.push_back(input == kNetworkInput ? &image : &values[input]);
    values[node.index] = Compute(network, node, inputs, norms);
    const auto fixed = network.activations.find(node.index);
    if (fixed != network.activations.end()) Quantize(fixed->second, &values[node.index], &output.tie_distance);
  }
  output.values = values[network.graph.output()];
  return output;
}

}  // namespace bitgate
