#include "runtime/tensor/shape.h"

#include <ostream>

#include "runtime/base/error.h"

namespace bitgate {

Shape::Shape(std::initializer_list<int64_t> dimensions) { Assign(dimensions.begin(), dimensions.size()); }

Shape::Shape(const std::vector<int64_t>& dimensions) { Assign(dimensions.data(), dimensions.size()); }

void Shape::Assign(const int64_t* dimensions, size_t rank) {
  if (rank > kMaxRank) throw InvalidArgument("shape: expected rank at most ", kMaxRank, ", got ", rank);
  int64_t size = 1;
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t dimension = dimensions[axis];
    if (dimension < 0) throw InvalidArgument("shape: expected dimensions >= 0, got ", dimension, " at axis ", axis);
    if (dimension > 0 && size > (int64_t{1} << 60) / dimension) {
      throw InvalidArgument("shape: expected at most 2^60 elements, got more");
    }
    size *= dimension == 0 ? 1 : dimension;
    dimensions_[axis] = dimension;
  }
  rank_ = static_cast<int>(rank);
}

int64_t Shape::size() const {
  int64_t size = 1;
  for (int64_t dimension : *this) size *= dimension;
  return size;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int axis = 0; axis < shape.rank(); ++axis) out << (axis ? ", " : "") << shape[axis];
  return out << ']';
}

}  // namespace bitgate
