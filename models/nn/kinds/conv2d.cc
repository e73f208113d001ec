#include "models/nn/layer_call.h"
#include "ops/conv/conv.h"

namespace bitgate {
namespace forward {

extern const LayerForward kConv2d;
const LayerForward kConv2d{[](const LayerCall& call) {
                             const Window& window = call.node.spec.window;
                             Conv2dParams params;
                             params.stride = {window.stride_height, window.stride_width};
                             params.padding = {window.padding_height, window.padding_width};
                             params.groups = call.node.attributes.groups();
                             params.activation = call.activation;
                             params.steps = call.steps;
                             return Conv2d(call.context, call.inputs[0], call.weight, call.bias, params);
                           },
                           /*fuses_activation=*/true};

}  // namespace forward
}  // namespace bitgate
