// What a network costs with given bit widths and channels: bit operations (BOPs) and bytes of its weights.
//
//   BOPs(layer) = MACs * b_w * b_a * (kept output channels / all) * (kept input channels / all)
//
// as in van Baalen et al., "Bayesian Bits" (arXiv 2005.07093). b_w and b_a are the bit widths of the layer's weight and
// of its input: 8 for the network's input, 32 for a tensor that is not quantized. Batch norm, relu, pools and flatten
// hand both width and channels on. Kept input channels are those of the producing layer; a sum or
// pad_channels has all its channels.
//
// A batch norm counts as what it is once folded, the bias of its layer: a layer with a bias, a batch norm or both has
// one bias for each channel, in float too.
#ifndef BITGATE_MODELS_QUANTIZED_COST_H_
#define BITGATE_MODELS_QUANTIZED_COST_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/graph/site.h"

namespace bitgate {

// Width of the network's input, and of tensors that are not quantized.
inline constexpr int kInputBits = 8;
inline constexpr int kFloatBits = 32;

// What a method has decided for one site.
struct SiteState {
  int bits = kFloatBits;      // weights: 0..32, 0 prunes the whole layer; activations: 1..32
  int64_t kept_channels = 0;  // weights: output channels that are not pruned; activations: not read
  bool sign_apart = false;    // weights: the bits are those of magnitudes, and storing a code takes one more
};
// By Site::name, exactly one for each of QuantizationSites(graph).
using SiteStates = std::map<std::string, SiteState>;

// `bits` everywhere, nothing pruned.
SiteStates UniformStates(const std::vector<Site>& sites, int bits);

// One convolution or linear layer.
struct LayerCost {
  int layer;                                    // node index
  int weight_bits;                              // b_w; kFloatBits if not quantized
  int input_bits;                               // b_a
  int64_t channels, kept_channels;              // of the output; none is kept at 0 bits
  int64_t input_channels, kept_input_channels;  // of the layer that produces the input
  double macs;                                  // per image, of the whole layer
  double bops;                                  // per image
  // Kept weights * bits (one more where the sign is apart) / 8, rounded up, and 4 for each kept channel where there is
  // a bias; weights of removed input channels are gone too.
  int64_t bytes;
};

struct NetworkCost {
  std::vector<LayerCost> layers;  // in the order of nodes
  double macs;                    // sum over layers
  double bops;                    // sum over layers
  double float_bops;              // macs * 32 * 32
  int64_t bytes;                  // sum over layers
  int64_t float_bytes;            // 4 for each weight and bias
  // Of layers whose weight has a site, all their weights whether kept or not: how many, and their bits together.
  double quantized_weights, weight_bits;
  // 1 for the float network (its input would count 32 bits), 0 if nothing multiplies.
  double relative_bops() const { return float_bops > 0 ? bops / float_bops : 0; }
  // How many times smaller than in float the weights are that have a site, as Yang et al., "BSQ" (arXiv 2102.10462),
  // count it: pruned channels and biases do not matter. 0 where no weight has a bit left, or a site.
  double weight_compression() const { return weight_bits > 0 ? kFloatBits * quantized_weights / weight_bits : 0; }
};

// Throws InvalidArgument, naming the site, if a site has no state, a state no site, or a value is out of range.
NetworkCost ComputeCost(const Graph& graph, const SiteStates& states);

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_COST_H_
