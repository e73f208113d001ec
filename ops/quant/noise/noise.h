// Uniform noise as a tensor: what stochastic gates take as an input.
#ifndef BITGATE_OPS_QUANT_NOISE_NOISE_H_
#define BITGATE_OPS_QUANT_NOISE_NOISE_H_

#include <array>
#include <cstdint>
#include <utility>

#include "runtime/base/rng.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// A random key that lies on the device as well: a captured step that is replayed reads it there.
struct StepKey {
  RandomKey value;
  Tensor words;  // int32 [4], KeyWords of the key; undefined: `value` is all there is

  StepKey(const RandomKey& value = {}, Tensor words = {})  // NOLINT(google-explicit-constructor): a key is one
      : value(value), words(std::move(words)) {}
  StepKey(uint64_t seed, uint32_t stream, uint64_t step) : value{seed, stream, step} {}
};

// Seed low, seed high, step low, step high. The stream is not among them: one pair of seed and step serves many.
std::array<int32_t, 4> KeyWords(const RandomKey& key);

// float32 [size], element i = Uniform(key, i) of runtime/base/rng.h: strictly between 0 and 1, the same bits on every
// device. Not differentiable.
Tensor UniformNoise(Context& context, const RandomKey& key, int64_t size);

// The same of seed and step of `key` and the stream `stream`; key.value.stream does not count. Where key.words is
// defined, seed and step are read there, on its device and in the order of the stream, and key.value is not looked at.
Tensor UniformNoise(Context& context, const StepKey& key, uint32_t stream, int64_t size);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_NOISE_NOISE_H_
