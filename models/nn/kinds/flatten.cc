#include "models/nn/layer_call.h"
#include "ops/elementwise/reshape.h"

namespace bitgate {
namespace forward {

extern const LayerForward kFlatten;
const LayerForward kFlatten{[](const LayerCall& call) { return Flatten(call.context, call.inputs[0]); },
                            /*fuses_activation=*/false, /*keeps_multiples=*/true};

}  // namespace forward
}  // namespace bitgate
