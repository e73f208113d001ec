// From a raw pixel to a network's input: (raw * scale - mean) / std.
#ifndef BITGATE_OPS_DATA_GATHER_IMAGES_MATH_H_
#define BITGATE_OPS_DATA_GATHER_IMAGES_MATH_H_

#include "runtime/base/math.h"

namespace bitgate {

// In this order, each step rounded. A mean of 0 and a std of 1 change no bit, so a step that is left out needs no
// formula of its own.
template <class V>
BG_HD_INLINE V NormalizePixel(V raw, V scale, V mean, V std) {
  return (raw * scale - mean) / std;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_DATA_GATHER_IMAGES_MATH_H_
