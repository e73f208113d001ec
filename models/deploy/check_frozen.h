// What every reader of a frozen network relies on.
#ifndef BITGATE_MODELS_DEPLOY_CHECK_FROZEN_H_
#define BITGATE_MODELS_DEPLOY_CHECK_FROZEN_H_

#include "models/deploy/frozen_network.h"

namespace bitgate {

// Throws InvalidArgument, naming the node, unless every layer with a weight has one of the graph's shape with as many
// values, codes, biases and flags as that needs, codes lie in their range, and scales and ranges make sense.
void CheckFrozenNetwork(const FrozenNetwork& network);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_CHECK_FROZEN_H_
