#ifndef BITGATE_OPS_QUANT_NOISE_NOISE_KERNELS_H_
#define BITGATE_OPS_QUANT_NOISE_NOISE_KERNELS_H_

#include <cstdint>

#include "runtime/base/math.h"
#include "runtime/base/rng.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// The inverse of KeyWords (ops/quant/noise/noise.h), which leaves the stream open.
BG_HD_INLINE RandomKey KeyFromWords(const int32_t* words, uint32_t stream) {
  const auto join = [](int32_t low, int32_t high) {
    return uint64_t{static_cast<uint32_t>(high)} << 32 | static_cast<uint32_t>(low);
  };
  return {join(words[0], words[1]), stream, join(words[2], words[3])};
}

// y[i] = Uniform(key, i); where `words` is not absent, its seed and step take the place of the key's.
namespace cpu {
void UniformNoise(KernelContext& context, View y, const RandomKey& key, ConstView words);
}
namespace cuda {
void UniformNoise(KernelContext& context, View y, const RandomKey& key, ConstView words);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_NOISE_NOISE_KERNELS_H_
