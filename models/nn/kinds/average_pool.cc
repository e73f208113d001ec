#include "models/nn/layer_call.h"
#include "ops/pool/pool.h"

namespace bitgate {
namespace forward {

extern const LayerForward kAveragePool;
const LayerForward kAveragePool{[](const LayerCall& call) {
                                  const Window& window = call.node.spec.window;
                                  Pool2dParams params;
                                  params.kernel = {window.kernel_height, window.kernel_width};
                                  params.stride = {window.stride_height, window.stride_width};
                                  params.padding = {window.padding_height, window.padding_width};
                                  return AveragePool2d(call.context, call.inputs[0], params);
                                },
                                /*fuses_activation=*/false};

}  // namespace forward
}  // namespace bitgate
