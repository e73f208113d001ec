// What happens to operands before cuDNN's convolution.
#ifndef BITGATE_OPS_CONV_CONV_STEPS_CUDA_H_
#define BITGATE_OPS_CONV_CONV_STEPS_CUDA_H_

#include <cstdint>

#include "ops/finish_cuda.h"
#include "runtime/device/device.h"

namespace bitgate {
namespace cuda {

// An array to round to the nearest bfloat16, ties to even; NaN stays NaN. `to` is 16-byte aligned.
struct Rounding {
  const float* from;
  Bfloat16* to;
  int64_t size;
};

// Two of them in one launch; either may be empty.
void RoundToBfloat16(const Stream& stream, const Rounding& a, const Rounding& b);

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_OPS_CONV_CONV_STEPS_CUDA_H_
