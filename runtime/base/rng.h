// Counter-based random numbers: pure functions of (seed, stream, step, index), the same bits on host and device.
//
// There is no generator state to save, split or lock: a training step that is run again draws the same numbers, in any
// order and on any number of threads. The function is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy
// as 1, 2, 3", SC 2011): the key is the seed, the counter is (index, stream, step low, step high).
#ifndef BITGATE_RUNTIME_BASE_RNG_H_
#define BITGATE_RUNTIME_BASE_RNG_H_

#include <cstdint>
#include <vector>

#include "runtime/base/math.h"

namespace bitgate {

struct RandomKey {
  uint64_t seed = 0;    // of the whole run
  uint32_t stream = 0;  // who draws: a gate, a shuffle, an initialiser
  uint64_t step = 0;    // when: training step or epoch
};

// 128 random bits.
struct PhiloxBlock {
  uint32_t word[4];
};

namespace internal {
// One round: two 32x32 -> 64 bit products, high halves mixed with the neighbour and the key (SC 2011, figure 2).
BG_HD_INLINE PhiloxBlock PhiloxRound(const PhiloxBlock& c, uint32_t key0, uint32_t key1) {
  const uint64_t product0 = uint64_t{0xD2511F53u} * c.word[0];
  const uint64_t product1 = uint64_t{0xCD9E8D57u} * c.word[2];
  return PhiloxBlock{{static_cast<uint32_t>(product1 >> 32) ^ c.word[1] ^ key0, static_cast<uint32_t>(product1),
                      static_cast<uint32_t>(product0 >> 32) ^ c.word[3] ^ key1, static_cast<uint32_t>(product0)}};
}
}  // namespace internal

BG_HD_INLINE PhiloxBlock Philox(const RandomKey& key, uint32_t index) {
  PhiloxBlock block{{index, key.stream, static_cast<uint32_t>(key.step), static_cast<uint32_t>(key.step >> 32)}};
  uint32_t key0 = static_cast<uint32_t>(key.seed);
  uint32_t key1 = static_cast<uint32_t>(key.seed >> 32);
  for (int round = 0; round < 10; ++round) {
    block = internal::PhiloxRound(block, key0, key1);
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return block;
}

// A word as a float strictly inside (0, 1): the odd multiples of 2^-24, from 2^-24 to 1 - 2^-24, each with probability
// 2^-23. An odd number below 2^24 and its product with 2^-24 are floats exactly, so nothing rounds to 0 or 1, the mean
// is exactly 1/2 and 1 - u is exact too: log(u) and log(1 - u) are finite. (Adding 1/2 to 24 bits would round up to 1.)
BG_HD_INLINE float UnitInterval(uint32_t word) { return static_cast<float>((word >> 8) | 1u) * 0x1p-24f; }

// Value number `index` (below 2^34) of a key's uniform numbers: word index % 4 of block index / 4, so a loop that wants
// many takes four from each block and gets the same.
BG_HD_INLINE float Uniform(const RandomKey& key, uint64_t index) {
  const PhiloxBlock block = Philox(key, static_cast<uint32_t>(index >> 2));
  const uint32_t low = (index & 1) != 0 ? block.word[1] : block.word[0];
  const uint32_t high = (index & 1) != 0 ? block.word[3] : block.word[2];
  return UnitInterval((index & 2) != 0 ? high : low);
}

// Replaces `order` by a permutation of 0..n-1, each equally likely for a random key (Fisher-Yates with unbiased bounded
// integers). Sequential. Throws InvalidArgument unless 0 <= n <= 2^31 - 1.
void Permutation(const RandomKey& key, int64_t n, std::vector<int32_t>* order);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_RNG_H_
