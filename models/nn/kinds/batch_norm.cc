#include "models/nn/layer_call.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace forward {

// Runs with the layer before it (Network::RunNormalised, RunFolded): what it does depends on that layer's weight.
extern const LayerForward kBatchNorm;
const LayerForward kBatchNorm{[](const LayerCall& call) -> Tensor {
                                throw Internal("network: batch norm ", call.node.name,
                                               " has not been run with its layer");
                              },
                              /*fuses_activation=*/true};

}  // namespace forward
}  // namespace bitgate
