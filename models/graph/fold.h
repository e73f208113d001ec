// A graph without its batch norms: what a network computes once they are folded into the weights before them.
#ifndef BITGATE_MODELS_GRAPH_FOLD_H_
#define BITGATE_MODELS_GRAPH_FOLD_H_

#include "models/graph/graph.h"

namespace bitgate {

// Every layer with a batch norm behind it has a bias instead; what the batch norm had to say, that it was the network's
// output or how its output is quantized, the layer says. Names and the order of nodes stay, and so do quantization
// sites, by name and in order. Throws InvalidArgument where layer and batch norm both say how the output is quantized.
Graph FoldBatchNorms(const Graph& graph);

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_FOLD_H_
