#include "models/nn/layer_call.h"
#include "ops/elementwise/elementwise.h"

namespace bitgate {
namespace forward {

extern const LayerForward kRelu;
const LayerForward kRelu{[](const LayerCall& call) { return Relu(call.context, call.inputs[0]); },
                         /*fuses_activation=*/false, /*keeps_multiples=*/true};

}  // namespace forward
}  // namespace bitgate
