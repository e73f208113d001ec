#include "models/nn/layer_call.h"
#include "ops/linalg/linalg.h"

namespace bitgate {
namespace forward {

extern const LayerForward kLinear;
const LayerForward kLinear{[](const LayerCall& call) {
                             return Linear(call.context, call.inputs[0], call.weight, call.bias, call.activation,
                                           call.steps);
                           },
                           /*fuses_activation=*/true};

}  // namespace forward
}  // namespace bitgate
