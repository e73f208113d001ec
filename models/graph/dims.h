// Sizes of one image's tensors, and arithmetic on them that cannot overflow.
#ifndef BITGATE_MODELS_GRAPH_DIMS_H_
#define BITGATE_MODELS_GRAPH_DIMS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace bitgate {

// Without the batch dimension: [height, width, channels] or [features].
using Dims = std::vector<int64_t>;

// No tensor or parameter of a network may have more elements per image than this, so a product of two counts fits in
// int64.
inline constexpr int64_t kMaxElements = (int64_t{1} << 31) - 1;

// "[28, 28, 1]".
std::string DimsText(const Dims& dims);

// The product of `dims`. Throws InvalidArgument (beginning with `where`) unless all are positive and it is at most
// kMaxElements.
int64_t ElementCount(const std::string& where, const Dims& dims);

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_DIMS_H_
