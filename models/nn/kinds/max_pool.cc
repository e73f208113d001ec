#include "models/nn/kinds/pool_params.h"
#include "models/nn/layer_call.h"

namespace bitgate {
namespace forward {

extern const LayerForward kMaxPool;
const LayerForward kMaxPool{
    [](const LayerCall& call) { return MaxPool2d(call.context, call.inputs[0], PoolParams(call.node.spec.window)); },
    /*fuses_activation=*/false, /*keeps_multiples=*/true};

}  // namespace forward
}  // namespace bitgate
