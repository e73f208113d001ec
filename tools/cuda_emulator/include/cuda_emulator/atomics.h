// Atomic functions. One thread of one block runs at a time: a plain read, change and write is atomic.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_ATOMICS_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_ATOMICS_H_

namespace cuda_emulator {

template <class T>
inline T Exchange(T* address, T value) {
  const T old = *address;
  *address = value;
  return old;
}

}  // namespace cuda_emulator

// Overloads of the types that the device has, so that no other type compiles here and fails there.
#define BITGATE_EMULATED_ATOMICS(T)                                                                      \
  inline T atomicMax(T* address, T value) {                                                              \
    return cuda_emulator::Exchange(address, *address < value ? value : *address);                        \
  }                                                                                                      \
  inline T atomicMin(T* address, T value) {                                                              \
    return cuda_emulator::Exchange(address, value < *address ? value : *address);                        \
  }                                                                                                      \
  inline T atomicCAS(T* address, T compare, T value) {                                                   \
    return cuda_emulator::Exchange(address, *address == compare ? value : *address);                     \
  }                                                                                                      \
  inline T atomicAnd(T* address, T value) { return cuda_emulator::Exchange(address, *address & value); } \
  inline T atomicOr(T* address, T value) { return cuda_emulator::Exchange(address, *address | value); }  \
  inline T atomicXor(T* address, T value) { return cuda_emulator::Exchange(address, *address ^ value); } \
  inline T atomicExch(T* address, T value) { return cuda_emulator::Exchange(address, value); }

BITGATE_EMULATED_ATOMICS(int)
BITGATE_EMULATED_ATOMICS(unsigned)
BITGATE_EMULATED_ATOMICS(unsigned long long)

#undef BITGATE_EMULATED_ATOMICS

inline int atomicAdd(int* address, int value) {
  return cuda_emulator::Exchange(address,
                                 static_cast<int>(static_cast<unsigned>(*address) + static_cast<unsigned>(value)));
}
inline unsigned atomicAdd(unsigned* address, unsigned value) {
  return cuda_emulator::Exchange(address, *address + value);
}
inline unsigned long long atomicAdd(unsigned long long* address, unsigned long long value) {
  return cuda_emulator::Exchange(address, *address + value);
}
inline float atomicAdd(float* address, float value) { return cuda_emulator::Exchange(address, *address + value); }
inline double atomicAdd(double* address, double value) { return cuda_emulator::Exchange(address, *address + value); }
inline float atomicExch(float* address, float value) { return cuda_emulator::Exchange(address, value); }
inline unsigned atomicSub(unsigned* address, unsigned value) {
  return cuda_emulator::Exchange(address, *address - value);
}
// Counts up to `limit` and starts over at 0.
inline unsigned atomicInc(unsigned* address, unsigned limit) {
  return cuda_emulator::Exchange(address, *address >= limit ? 0u : *address + 1u);
}
inline unsigned atomicDec(unsigned* address, unsigned limit) {
  return cuda_emulator::Exchange(address, *address == 0u || *address > limit ? limit : *address - 1u);
}

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_ATOMICS_H_
