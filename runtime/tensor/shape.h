// The dimensions of a tensor.
#ifndef BITGATE_RUNTIME_TENSOR_SHAPE_H_
#define BITGATE_RUNTIME_TENSOR_SHAPE_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <vector>

namespace bitgate {

// At most kMaxRank dimensions, each >= 0, outermost first. A value: cheap to copy, comparable. Rank 0 is a scalar.
class Shape {
 public:
  static constexpr int kMaxRank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> dimensions);
  // Throws InvalidArgument for a rank above kMaxRank, a negative dimension, or more than 2^60 elements,
  // so that their bytes can be counted.
  explicit Shape(const std::vector<int64_t>& dimensions);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return dimensions_[axis]; }
  const int64_t* begin() const { return dimensions_.data(); }
  const int64_t* end() const { return dimensions_.data() + rank_; }
  // Number of elements.
  int64_t size() const;

  friend bool operator==(const Shape& a, const Shape& b) {
    return a.rank_ == b.rank_ && a.dimensions_ == b.dimensions_;
  }
  friend bool operator!=(const Shape& a, const Shape& b) { return !(a == b); }

 private:
  void Assign(const int64_t* dimensions, size_t rank);

  std::array<int64_t, kMaxRank> dimensions_{};  // zero past the rank, so that equality is plain
  int rank_ = 0;
};

// [2, 3, 4]
std::ostream& operator<<(std::ostream& out, const Shape& shape);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_TENSOR_SHAPE_H_
