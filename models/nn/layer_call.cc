#include "models/nn/layer_call.h"

#include <map>

#include "runtime/base/error.h"

namespace bitgate {

namespace forward {
#define BG_LAYER(name, Function) extern const LayerForward k##Function;
#include "models/nn/kinds/kind_list.inc"
#undef BG_LAYER
}  // namespace forward

const LayerForward& FindLayerForward(const std::string& kind) {
  static const auto& kinds = *new std::map<std::string, const LayerForward*>{
#define BG_LAYER(name, Function) {#name, &forward::k##Function},
#include "models/nn/kinds/kind_list.inc"
#undef BG_LAYER
  };
  const auto found = kinds.find(kind);
  if (found == kinds.end()) throw Internal("network: layer kind ", kind, " has no forward pass");
  return *found->second;
}

}  // namespace bitgate
