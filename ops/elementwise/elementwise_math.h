// The formulas of the elementwise ops. Constants are parameters so that V may be a vector.
#ifndef BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_MATH_H_
#define BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_MATH_H_

#include "runtime/base/math.h"

namespace bitgate {

template <class V>
BG_HD_INLINE V ReluValue(V x, V zero) {
  return Max(x, zero);
}

// d relu(x) / dx at 0 is 0.
template <class V>
BG_HD_INLINE V ReluSlopeTimes(V y, V grad_y, V zero) {
  return Select(y > zero, grad_y, zero);
}

template <class V>
BG_HD_INLINE V Product(V a, V b) {
  return a * b;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_MATH_H_
