// Where a network is quantized: decided on the graph alone, for all methods.
//
// Methods and accounting follow van Baalen et al., "Bayesian Bits" (arXiv 2005.07093), in its variant for residual
// networks:
// - every convolution's and linear layer's weight;
// - every layer's output, after its batch norm and the relu where one directly and solely follows, before pools and
//   flatten;
// - of residual networks the sum (after its relu), not its inputs: a tensor that only goes into sums is not quantized;
// - not the network's input, and not its output: the last layers (there is a way from them to the output on which no
//   other layer multiplies) keep all their channels, and a tensor that no layer multiplies stays in full precision.
#ifndef BITGATE_MODELS_GRAPH_SITE_H_
#define BITGATE_MODELS_GRAPH_SITE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/graph/precision.h"

namespace bitgate {

// A tensor that is quantized.
struct Site {
  std::string name;  // "<layer>/weight" or "<layer>/output"; unique in the graph
  Role role;
  int node;          // whose weight or output it is: the layer, or the batch norm or relu behind it
  int layer;         // the conv2d, linear, add or pad_channels it belongs to
  Dims shape;        // of the weight, or of one image's output
  bool nonnegative;  // an activation after a relu; never a weight
  bool prunable;     // output channels may be removed: weights only, and only if allowed_bits holds 0
  int64_t channels;  // weight: output channels (its first dimension); activation: its last dimension
  double macs;       // per image; weight: of its layer, activation: of the layers that consume it, together
  std::vector<int> allowed_bits;  // ascending, never empty; holds 0 exactly if prunable
};

// In the order of nodes, a layer's weight before its output. Not prunable are weights without 0 among their allowed
// bits, those of the last layers, and depthwise convolutions. A precision may be given at a layer, its batch norm or
// its relu. Throws InvalidArgument if it is given at two of them, or at a node whose output is not quantized anyway.
std::vector<Site> QuantizationSites(const Graph& graph);

// The most multiply-accumulates per image in one layer; 0 if no layer multiplies.
double MaxMacs(const Graph& graph);

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_SITE_H_
