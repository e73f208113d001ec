// What a frozen network computes, by naive loops, to compare exported networks with.
#ifndef BITGATE_MODELS_DEPLOY_REFERENCE_OUTPUT_H_
#define BITGATE_MODELS_DEPLOY_REFERENCE_OUTPUT_H_

#include <map>
#include <vector>

#include "models/deploy/fold_batch_norm.h"
#include "models/deploy/frozen_network.h"

namespace bitgate {

struct ReferenceOutput {
  std::vector<float> values;  // of the output's shape, channels last
  // The least distance, in steps, of anything that was rounded to fewer than 10 bits to a tie: where it is tiny,
  // another order of summation may round the other way. Steps of 16 bits are themselves tiny.
  double tie_distance = 1;
};

// `image`: of the graph's input shape, preprocessed; `norms`: of the graph's batch norms, by node index. Sums and batch
// norms in double, quantizers in float32.
ReferenceOutput RunReference(const FrozenNetwork& network, const std::vector<float>& image,
                             const std::map<int, BatchNormValues>& norms = {});

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_REFERENCE_OUTPUT_H_
