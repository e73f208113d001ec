#include "ops/elementwise/pad_channels.h"

#include "models/nn/layer_call.h"

namespace bitgate {
namespace forward {

extern const LayerForward kPadChannels;
const LayerForward kPadChannels{
    [](const LayerCall& call) { return PadChannels(call.context, call.inputs[0], call.node.attributes.channels()); },
    /*fuses_activation=*/false, /*keeps_multiples=*/true};

}  // namespace forward
}  // namespace bitgate
