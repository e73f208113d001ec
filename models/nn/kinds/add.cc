#include "models/nn/layer_call.h"
#include "ops/elementwise/elementwise.h"

namespace bitgate {
namespace forward {

extern const LayerForward kAdd;
const LayerForward kAdd{[](const LayerCall& call) { return Add(call.context, call.inputs[0], call.inputs[1]); },
                        /*fuses_activation=*/false};

}  // namespace forward
}  // namespace bitgate
