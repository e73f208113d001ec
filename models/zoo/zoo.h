// The networks that come with Bitgate, by name.
#ifndef BITGATE_MODELS_ZOO_ZOO_H_
#define BITGATE_MODELS_ZOO_ZOO_H_

#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace bitgate::zoo {

// Sorted.
std::vector<std::string> Names();

// With its published sizes. Throws NotFound, listing the names there are.
Graph Build(const std::string& name);

}  // namespace bitgate::zoo

#endif  // BITGATE_MODELS_ZOO_ZOO_H_
