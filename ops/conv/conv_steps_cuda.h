// What happens to operands before cuDNN's convolution, and to its result afterwards.
#ifndef BITGATE_OPS_CONV_CONV_STEPS_CUDA_H_
#define BITGATE_OPS_CONV_CONV_STEPS_CUDA_H_

#include <cstdint>

#include "runtime/device/device.h"

namespace bitgate {
namespace cuda {

using Bfloat16 = uint16_t;  // the upper half of a float's bits

// An array to round to the nearest bfloat16, ties to even; NaN stays NaN. `to` is 16-byte aligned.
struct Rounding {
  const float* from;
  Bfloat16* to;
  int64_t size;
};

// Two of them in one launch; either may be empty.
void RoundToBfloat16(const Stream& stream, const Rounding& a, const Rounding& b);

// What becomes of a result.
struct Finish {
  const float* bias = nullptr;  // added, one value per channel, where there is one
  bool relu = false;
  bool add = false;  // to what y held before
};

// y[i, c] = finish(from[i, c]); `from` may be y. `size` counts all elements.
void FinishResult(const Stream& stream, float* y, const float* from, int64_t size, int64_t channels,
                  const Finish& finish);
void FinishResult(const Stream& stream, float* y, const Bfloat16* from, int64_t size, int64_t channels,
                  const Finish& finish);

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_OPS_CONV_CONV_STEPS_CUDA_H_
