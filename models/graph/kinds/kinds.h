// One function per layer kind, each defined in the file of its kind.
#ifndef BITGATE_MODELS_GRAPH_KINDS_KINDS_H_
#define BITGATE_MODELS_GRAPH_KINDS_KINDS_H_

#include "models/graph/layer_kind.h"

namespace bitgate::kinds {

#define BITGATE_LAYER_KIND(Kind) const LayerKind& Kind();
#include "models/graph/kinds/kind_list.inc"
#undef BITGATE_LAYER_KIND

}  // namespace bitgate::kinds

#endif  // BITGATE_MODELS_GRAPH_KINDS_KINDS_H_
