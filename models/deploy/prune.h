// Physical removal of pruned channels (van Baalen et al., "Bayesian Bits", arXiv 2005.07093: group sparsity of
// weights).
#ifndef BITGATE_MODELS_DEPLOY_PRUNE_H_
#define BITGATE_MODELS_DEPLOY_PRUNE_H_

#include <string>
#include <vector>

#include "models/deploy/frozen_network.h"

namespace bitgate {

// The same function of the image with fewer channels.
//
// A pruned output channel has zero weights, so it holds its bias wherever it is looked at; relu, quantizer and pools
// turn that constant into another. It leaves the layer and, through relu, pools and flatten, every layer that reads it;
// a reading layer's bias takes its part over: bias[o] += constant * sum over the window of weight[o, ..., c], in
// double, rounded once. Channels stay, with zero weights, where that is not possible: where a sum (`add`) reads them,
// where a convolution pads a constant other than zero, at convolutions with groups (a depthwise one loses the same
// channels on both sides), and in the network's output.
//
// A layer of which every channel is pruned or reads constants alone becomes a constant: Encoding::kZero, and the bias
// is its output. What then nothing reads is left out where the graph allows it; where a size of image must be kept, a
// layer of one channel remains in its place, which a writer need not write: a kZero layer does not depend on its input.
//
// `warnings` (may be null) gets a sentence for each layer that became a constant or was left out, and for each whose
// pruned channels stay. Nothing to remove: an equal network. Throws InvalidArgument for an inconsistent network.
FrozenNetwork RemovePrunedChannels(const FrozenNetwork& network, std::vector<std::string>* warnings);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_PRUNE_H_
