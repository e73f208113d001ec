#ifndef BITGATE_MODELS_NN_KINDS_POOL_PARAMS_H_
#define BITGATE_MODELS_NN_KINDS_POOL_PARAMS_H_

#include "models/graph/window.h"
#include "ops/pool/pool.h"

namespace bitgate::forward {

// A pool's window, as the graph inferred it, in the words of the op.
inline Pool2dParams PoolParams(const Window& window) {
  Pool2dParams params;
  params.kernel = {window.kernel_height, window.kernel_width};
  params.stride = {window.stride_height, window.stride_width};
  params.padding = {window.padding_height, window.padding_width};
  return params;
}

}  // namespace bitgate::forward

#endif  // BITGATE_MODELS_NN_KINDS_POOL_PARAMS_H_
