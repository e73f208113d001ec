// What happens to the result of a library's kernel that the library does not do itself. For .cu files only.
#ifndef BITGATE_OPS_FINISH_CUDA_H_
#define BITGATE_OPS_FINISH_CUDA_H_

#include <cstdint>

#include "runtime/device/device.h"

namespace bitgate {
namespace cuda {

using Bfloat16 = uint16_t;  // the upper half of a float's bits

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

#endif  // BITGATE_OPS_FINISH_CUDA_H_
