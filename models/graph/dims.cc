#include "models/graph/dims.h"

#include "runtime/base/error.h"

namespace bitgate {

std::string DimsText(const Dims& dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i > 0 ? ", " : "") + std::to_string(dims[i]);
  return text + "]";
}

int64_t ElementCount(const std::string& where, const Dims& dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) {
    if (dim <= 0) throw InvalidArgument(where, ": expected positive sizes, got ", DimsText(dims));
    if (dim > kMaxElements / count) {
      throw InvalidArgument(where, ": expected at most ", kMaxElements, " elements, got ", DimsText(dims));
    }
    count *= dim;
  }
  return count;
}

}  // namespace bitgate
