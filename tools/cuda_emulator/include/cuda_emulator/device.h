// The words of device code that need no other thread: qualifiers, built-in variables, intrinsics.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_DEVICE_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_DEVICE_H_

#include <cuda_runtime_api.h>
#include <math.h>

#include <cstdint>
#include <cstring>

// The toolkit leaves the qualifiers empty without nvcc. Blocks run one after another, so that a block's shared array
// may be the program's only one.
#undef __shared__
#define __shared__ static
#undef __launch_bounds__
#define __launch_bounds__(...)

// Right whenever a thread of a kernel runs. Not const: compilers keep const objects in registers across calls, but
// these change at every barrier.
extern "C" {
extern uint3 threadIdx;
extern uint3 blockIdx;
extern dim3 blockDim;
extern dim3 gridDim;
// Ends the kernel with a launch failure.
[[noreturn]] void __trap();
}
constexpr int warpSize = 32;

// One thread runs at a time, so memory is always as ordered as a fence can make it.
inline void __threadfence() {}
inline void __threadfence_block() {}
inline void __threadfence_system() {}

// Loads and stores with a cache hint.
template <class T>
inline T __ldg(const T* address) {
  return *address;
}
template <class T>
inline T __ldcs(const T* address) {
  return *address;
}
template <class T>
inline T __ldcg(const T* address) {
  return *address;
}
template <class T>
inline T __ldca(const T* address) {
  return *address;
}
template <class T>
inline void __stcs(T* address, T value) {
  *address = value;
}
template <class T>
inline void __stcg(T* address, T value) {
  *address = value;
}
template <class T>
inline void __stwb(T* address, T value) {
  *address = value;
}

namespace cuda_emulator {
template <class To, class From>
inline To BitCast(From from) {
  static_assert(sizeof(To) == sizeof(From), "BitCast: sizes differ");
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}
}  // namespace cuda_emulator

inline int __float_as_int(float x) { return cuda_emulator::BitCast<int>(x); }
inline float __int_as_float(int x) { return cuda_emulator::BitCast<float>(x); }
inline unsigned __float_as_uint(float x) { return cuda_emulator::BitCast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return cuda_emulator::BitCast<float>(x); }
inline long long __double_as_longlong(double x) { return cuda_emulator::BitCast<long long>(x); }
inline double __longlong_as_double(long long x) { return cuda_emulator::BitCast<double>(x); }

// Rounded to nearest, never contracted: plain operators, for everything is compiled with -ffp-contract=off.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return ::sqrtf(a); }
inline float __fmaf_rn(float a, float b, float c) { return ::fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __drcp_rn(double a) { return 1.0 / a; }
inline double __dsqrt_rn(double a) { return ::sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return ::fma(a, b, c); }
inline float rsqrtf(float a) { return static_cast<float>(1.0 / ::sqrt(static_cast<double>(a))); }
inline double rsqrt(double a) { return 1.0 / ::sqrt(a); }

// Conversions; the device's saturate, and NaN becomes 0.
inline int __float2int_rn(float x) {
  if (x != x) return 0;
  if (x >= 2147483648.0f) return INT32_MAX;
  if (x <= -2147483648.0f) return INT32_MIN;
  return static_cast<int>(::rintf(x));
}
inline float __int2float_rn(int x) { return static_cast<float>(x); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}
inline unsigned __brev(unsigned x) {
  unsigned y = 0;
  for (int i = 0; i < 32; ++i) y |= (x >> i & 1u) << (31 - i);
  return y;
}

// In the global namespace, as on the device. A float's minimum is the other operand when one is NaN.
inline int min(int a, int b) { return a < b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline long min(long a, long b) { return a < b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline unsigned long min(unsigned long a, unsigned long b) { return a < b ? a : b; }
inline unsigned long long min(unsigned long long a, unsigned long long b) { return a < b ? a : b; }
inline float min(float a, float b) { return ::fminf(a, b); }
inline double min(double a, double b) { return ::fmin(a, b); }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long max(long a, long b) { return a < b ? b : a; }
inline long long max(long long a, long long b) { return a < b ? b : a; }
inline unsigned long max(unsigned long a, unsigned long b) { return a < b ? b : a; }
inline unsigned long long max(unsigned long long a, unsigned long long b) { return a < b ? b : a; }
inline float max(float a, float b) { return ::fmaxf(a, b); }
inline double max(double a, double b) { return ::fmax(a, b); }

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_DEVICE_H_
