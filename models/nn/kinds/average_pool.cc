#include "models/nn/kinds/pool_params.h"
#include "models/nn/layer_call.h"

namespace bitgate {
namespace forward {

extern const LayerForward kAveragePool;
const LayerForward kAveragePool{[](const LayerCall& call) {
                                  return AveragePool2d(call.context, call.inputs[0], PoolParams(call.node.spec.window));
                                },
                                /*fuses_activation=*/false};

}  // namespace forward
}  // namespace bitgate
