// What threads of a block do together: barriers, and the exchange of values within a warp.
//
// A thread that comes to one of these is parked until all that take part have come. If some never do (they returned, or
// went another way), the kernel ends with a launch failure and a message.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_WARP_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_WARP_H_

#include <cstdint>
#include <cstring>

// The number of threads that have returned counts as arrived, as on the device.
extern "C" void __syncthreads();

namespace cuda_emulator {

// Waits for the lanes of `mask` and returns the `bits` of lane `source`; a lane that is not in `mask` or has returned
// gives a pattern that is NaN as float and double. `kind` tells the calls apart that must not be mixed.
uint64_t Exchange(unsigned mask, int kind, uint64_t bits, int source);
// Waits for the lanes of `mask`; bit i of the result says whether lane i came with `predicate`. *lanes: who came.
unsigned Vote(unsigned mask, int kind, bool predicate, unsigned* lanes);
// This thread's place in its warp.
int Lane();

enum WarpCall { kShuffle, kShuffleUp, kShuffleDown, kShuffleXor, kBallot, kAny, kAll, kSyncWarp };

// The types that the device exchanges; no others, so that none compiles here and fails there.
template <class T>
struct IsShuffled {
  static constexpr bool value = false;
};
template <>
struct IsShuffled<int> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<unsigned> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<long> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<unsigned long> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<long long> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<unsigned long long> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<float> {
  static constexpr bool value = true;
};
template <>
struct IsShuffled<double> {
  static constexpr bool value = true;
};

template <class T>
inline T ShuffleFrom(unsigned mask, WarpCall call, T value, int source) {
  static_assert(IsShuffled<T>::value, "shuffle: the device has none for this type");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(value));
  bits = Exchange(mask, call, bits, source);
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

}  // namespace cuda_emulator

template <class T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int lane = cuda_emulator::Lane();
  return cuda_emulator::ShuffleFrom(mask, cuda_emulator::kShuffle, value, (lane & -width) | (source & (width - 1)));
}

template <class T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = cuda_emulator::Lane(), source = lane - static_cast<int>(delta);
  return cuda_emulator::ShuffleFrom(mask, cuda_emulator::kShuffleUp, value, source < (lane & -width) ? lane : source);
}

template <class T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
  const int lane = cuda_emulator::Lane(), source = lane + static_cast<int>(delta);
  return cuda_emulator::ShuffleFrom(mask, cuda_emulator::kShuffleDown, value,
                                    source > (lane | (width - 1)) ? lane : source);
}

template <class T>
inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32) {
  const int lane = cuda_emulator::Lane(), source = lane ^ bits;
  return cuda_emulator::ShuffleFrom(mask, cuda_emulator::kShuffleXor, value,
                                    source > (lane | (width - 1)) ? lane : source);
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
  unsigned lanes = 0;
  return cuda_emulator::Vote(mask, cuda_emulator::kBallot, predicate != 0, &lanes);
}

inline int __any_sync(unsigned mask, int predicate) {
  unsigned lanes = 0;
  return cuda_emulator::Vote(mask, cuda_emulator::kAny, predicate != 0, &lanes) != 0;
}

inline int __all_sync(unsigned mask, int predicate) {
  unsigned lanes = 0;
  return cuda_emulator::Vote(mask, cuda_emulator::kAll, predicate != 0, &lanes) == lanes;
}

inline void __syncwarp(unsigned mask = 0xffffffffu) {
  unsigned lanes = 0;
  cuda_emulator::Vote(mask, cuda_emulator::kSyncWarp, false, &lanes);
}

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_WARP_H_
