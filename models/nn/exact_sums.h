#ifndef BITGATE_MODELS_NN_EXACT_SUMS_H_
#define BITGATE_MODELS_NN_EXACT_SUMS_H_

#include <cstdint>

namespace bitgate {

// Whether sums of `terms` products of two codes, up to these magnitudes, are exact when bfloat16 multiplies and float32
// adds, in whatever order: codes of at most 8 bits and a sign, and every partial sum below 2^24.
constexpr bool SumsAreExactInBfloat16(int64_t terms, int64_t largest_input, int64_t largest_weight) {
  constexpr int64_t kLargestCode = 256, kSums = int64_t{1} << 24;
  return largest_input <= kLargestCode && largest_weight <= kLargestCode && terms < kSums &&
         terms * largest_input * largest_weight < kSums;
}

}  // namespace bitgate

#endif  // BITGATE_MODELS_NN_EXACT_SUMS_H_
