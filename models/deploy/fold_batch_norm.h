// Batch norms of a frozen network, moved into the layers before them.
#ifndef BITGATE_MODELS_DEPLOY_FOLD_BATCH_NORM_H_
#define BITGATE_MODELS_DEPLOY_FOLD_BATCH_NORM_H_

#include <map>
#include <string>
#include <vector>

#include "models/deploy/frozen_network.h"

namespace bitgate {

// What evaluation uses of a batch norm: y = gamma * (x - running_mean) / sqrt(running_variance + epsilon) + beta.
struct BatchNormValues {
  std::vector<float> gamma, beta, running_mean, running_variance;  // [channels]
  double epsilon = 1e-5;
};

// The layer that computes batch_norm(layer(x)) (Krishnamoorthi, arXiv 1806.08342, section 3.2.2), of a consistent layer
// without scales. For output channel o, with gain = gamma[o] / sqrt(running_variance[o] + epsilon), everything in
// double and rounded to float32 once:
//
//   kInteger   scales[o] = weight.scale * |gain|, values = scales[o] * code; the codes of a channel whose gain is
//              negative change their sign. A channel whose scale rounds to 0 has codes 0 and scale 1.
//   else       values * gain. kClip becomes kFloat: the weights leave the range that they were clipped to.
//   bias[o]    beta[o] + (bias[o] - running_mean[o]) * gain
//
// Throws InvalidArgument beginning with `where` for vectors of other sizes than the layer's output channels, a variance
// that with epsilon is not positive, and kInteger codes whose range is not symmetric.
FrozenLayer FoldNormIntoWeight(const std::string& where, const FrozenLayer& layer, const BatchNormValues& norm);

// The network without its batch norms, which `norms` gives by node index. A quantizer of a batch norm's output becomes
// one of the layer's. Throws InvalidArgument for a batch norm that `norms` lacks, and what FoldNormIntoWeight throws.
FrozenNetwork FoldNormsIntoWeights(const FrozenNetwork& network, const std::map<int, BatchNormValues>& norms);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_FOLD_BATCH_NORM_H_
