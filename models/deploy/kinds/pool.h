// The attributes of ONNX's pools.
#ifndef BITGATE_MODELS_DEPLOY_KINDS_POOL_H_
#define BITGATE_MODELS_DEPLOY_KINDS_POOL_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/graph/window.h"

namespace bitgate::deploy_kinds {

inline std::vector<std::pair<std::string, std::vector<int64_t>>> PoolAttributes(const Window& window) {
  return {{"kernel_shape", {window.kernel_height, window.kernel_width}},
          {"pads", {window.padding_height, window.padding_width, window.padding_height, window.padding_width}},
          {"strides", {window.stride_height, window.stride_width}}};
}

}  // namespace bitgate::deploy_kinds

#endif  // BITGATE_MODELS_DEPLOY_KINDS_POOL_H_
