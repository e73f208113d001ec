// Which bit widths a tensor may take.
#ifndef BITGATE_MODELS_GRAPH_PRECISION_H_
#define BITGATE_MODELS_GRAPH_PRECISION_H_

#include <string>
#include <vector>

#include "models/graph/graph.pb.h"

namespace bitgate {

enum class Role { kWeight, kActivation };

// Throws InvalidArgument (beginning with `where`) unless allowed_bits is a subset of 0, 2, 4, 8, 16, 32 (without 0 for
// an activation) that holds a width other than 0 or nothing at all, and is empty where leave_float is set.
void CheckPrecision(const std::string& where, const TensorPrecision& precision, Role role);

// Ascending, each once; all widths of the role if `precision` names none.
std::vector<int> AllowedBits(const TensorPrecision& precision, Role role);

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_PRECISION_H_
