// Uniform noise as a tensor: what stochastic gates take as an input.
#ifndef BITGATE_OPS_QUANT_NOISE_NOISE_H_
#define BITGATE_OPS_QUANT_NOISE_NOISE_H_

#include "runtime/base/rng.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// float32 [size], element i = Uniform(key, i) of runtime/base/rng.h: strictly between 0 and 1. Not differentiable.
Tensor UniformNoise(Context& context, const RandomKey& key, int64_t size);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_NOISE_NOISE_H_
