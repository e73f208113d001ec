// What a frozen network computes, by naive loops, to compare exported networks with.
#ifndef BITGATE_MODELS_DEPLOY_REFERENCE_OUTPUT_H_
#define BITGATE_MODELS_DEPLOY_REFERENCE_OUTPUT_H_

#include <vector>

#include "models/deploy/frozen_network.h"

namespace bitgate {

struct ReferenceOutput {
  std::vector<float> values;  // of the output's shape, channels last
  // The least distance, in steps, of anything that was rounded to fewer than 10 bits to a tie: where it is tiny,
  // another order of summation may round the other way. Steps of 16 bits are themselves tiny.
  double tie_distance = 1;
};

// `image`: of the graph's input shape, preprocessed. Sums in double, quantizers in float32.
ReferenceOutput RunReference(const FrozenNetwork& network, const std::vector<float>& image);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_REFERENCE_OUTPUT_H_
