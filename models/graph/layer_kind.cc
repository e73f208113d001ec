#include "models/graph/layer_kind.h"

#include <algorithm>

#include "models/graph/kinds/kinds.h"

namespace bitgate {
namespace {

const std::vector<const LayerKind*>& Table() {
  static const auto* const table = new std::vector<const LayerKind*>{
#define BITGATE_LAYER_KIND(Kind) &kinds::Kind(),
#include "models/graph/kinds/kind_list.inc"
#undef BITGATE_LAYER_KIND
  };
  return *table;
}

}  // namespace

const LayerKind* FindLayerKind(const std::string& name) {
  for (const LayerKind* kind : Table()) {
    if (kind->name() == name) return kind;
  }
  return nullptr;
}

std::vector<std::string> LayerKindNames() {
  std::vector<std::string> names;
  for (const LayerKind* kind : Table()) names.push_back(kind->name());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace bitgate
