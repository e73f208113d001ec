// A frozen network as plain host data: the graph, integer codes and scales. What exporters and the integer engine read.
//
// Nobody who holds one recomputes a code: codes are those the network was trained with.
#ifndef BITGATE_MODELS_DEPLOY_FROZEN_NETWORK_H_
#define BITGATE_MODELS_DEPLOY_FROZEN_NETWORK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/quantized/fixed.h"

namespace bitgate {

class Network;

// A convolution or linear layer's parameters. Layouts as in the graph: OHWI, [out, in].
struct FrozenLayer {
  Fixed weight;                // keep: one flag per output channel
  std::vector<int64_t> shape;  // of the weight
  std::vector<int32_t> codes;  // kInteger: shape's elements; value = scale of the output channel * code
  std::vector<float> scales;   // [out], > 0, where kInteger has a batch norm folded in; empty: weight.scale for all
  std::vector<float> values;   // the float32 weights, pruned channels zero
  std::vector<float> bias;     // [out]; empty without bias. What a pruned channel's output holds before the relu
};

struct FrozenNetwork {
  Graph graph;
  std::map<int, FrozenLayer> layers;  // by node index
  std::map<int, Fixed> activations;   // by node index whose output is quantized (after the relu where there is one)
};

// Reads a frozen network's values to the host. Throws FailedPrecondition when it is not frozen.
//
// Weights are those that the frozen forward pass uses, bit for bit, unless the network still has batch norms (a method
// that quantizes before them): these are folded (models/deploy/fold_batch_norm.h). Then the codes are the same, but
// scale and bias of a channel are rounded to float32 where the forward pass rounds the sum and what the batch norm
// makes of it, so outputs differ by a few float32 roundings, and an activation that comes so near a tie may get the
// neighbouring code.
FrozenNetwork ReadFrozenNetwork(Network& network);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_FROZEN_NETWORK_H_
