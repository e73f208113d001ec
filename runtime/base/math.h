// Scalar vocabulary in which per-element formulas are written once, for host and device, in float and double.
//
// A formula is a template over its value type that calls these functions unqualified; loop drivers that work on vectors
// supply the same names for their vector types. All functions are branch-free in the data.
//
// Rint, Min, Max, Clamp, Abs, Sqrt, Floor, Fma, Select and the basic operators give the same bits on every instruction
// set and device. Exp, Log, Sigmoid and Tanh are within a few units in the last place and may differ between host and
// device.
//
// Everything here is forced inline: the same header is compiled for several instruction sets into one program, and an
// out-of-line copy made by the AVX-512 object must never be the one that the linker picks for a processor without it.
// For the same reason the C names are called, not the inline overloads in namespace std.
#ifndef BITGATE_RUNTIME_BASE_MATH_H_
#define BITGATE_RUNTIME_BASE_MATH_H_

#include <math.h>

// Callable from the host and, when compiled by nvcc, from the device.
#if defined(__CUDACC__)
#define BG_HD __host__ __device__
#else
#define BG_HD
#endif

// BG_HD that never leaves an out-of-line copy; what headers used by per-instruction-set objects put before a function.
#define BG_HD_INLINE BG_HD inline __attribute__((always_inline))

// Before a loop over a few compile-time steps (bit levels): to be unrolled. nvcc's host pass knows neither spelling,
// and its results are not run.
#if defined(__CUDA_ARCH__)
#define BG_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define BG_UNROLL
#else
#define BG_UNROLL _Pragma("GCC unroll 8")
#endif

namespace bitgate {

// `condition` ? a : b, both sides evaluated.
BG_HD_INLINE float Select(bool condition, float a, float b) { return condition ? a : b; }
BG_HD_INLINE double Select(bool condition, double a, double b) { return condition ? a : b; }

// Nearest integer, ties to even (in the default rounding mode, which Bitgate never changes).
BG_HD_INLINE float Rint(float x) { return ::rintf(x); }
BG_HD_INLINE double Rint(double x) { return ::rint(x); }

BG_HD_INLINE float Floor(float x) { return ::floorf(x); }
BG_HD_INLINE double Floor(double x) { return ::floor(x); }

// Min(a, b) = b < a ? b : a and Max(a, b) = a < b ? b : a. If either is NaN, or both are zero, the result is the first
// argument: a NaN in `a` stays, a NaN in `b` is dropped. (x86 MINPS with its operands swapped, a compare and a select
// elsewhere; not fmin, which has other rules.)
BG_HD_INLINE float Min(float a, float b) { return Select(b < a, b, a); }
BG_HD_INLINE double Min(double a, double b) { return Select(b < a, b, a); }
BG_HD_INLINE float Max(float a, float b) { return Select(a < b, b, a); }
BG_HD_INLINE double Max(double a, double b) { return Select(a < b, b, a); }

// Min(Max(x, low), high): a NaN in x stays; high where low > high.
BG_HD_INLINE float Clamp(float x, float low, float high) { return Min(Max(x, low), high); }
BG_HD_INLINE double Clamp(double x, double low, double high) { return Min(Max(x, low), high); }

// Clears the sign bit, of zero and NaN too.
BG_HD_INLINE float Abs(float x) { return ::fabsf(x); }
BG_HD_INLINE double Abs(double x) { return ::fabs(x); }

// a * b + c with one rounding. The build never contracts a product and a sum by itself.
BG_HD_INLINE float Fma(float a, float b, float c) { return ::fmaf(a, b, c); }
BG_HD_INLINE double Fma(double a, double b, double c) { return ::fma(a, b, c); }

BG_HD_INLINE float Sqrt(float x) { return ::sqrtf(x); }
BG_HD_INLINE double Sqrt(double x) { return ::sqrt(x); }

BG_HD_INLINE float Exp(float x) { return ::expf(x); }
BG_HD_INLINE double Exp(double x) { return ::exp(x); }

BG_HD_INLINE float Log(float x) { return ::logf(x); }
BG_HD_INLINE double Log(double x) { return ::log(x); }

BG_HD_INLINE float Tanh(float x) { return ::tanhf(x); }
BG_HD_INLINE double Tanh(double x) { return ::tanh(x); }

// 1 / (1 + exp(-x)). The exponential only ever sees -|x|, so it cannot overflow, and the left tail keeps its relative
// precision down to the smallest number: sigmoid(x) = exp(x) / (1 + exp(x)) there. Sigmoid(-x) is 1 - Sigmoid(x)
// computed without cancellation.
BG_HD_INLINE float Sigmoid(float x) {
  const float e = Exp(-Abs(x));
  return Select(x < 0.0f, e, 1.0f) / (1.0f + e);
}
BG_HD_INLINE double Sigmoid(double x) {
  const double e = Exp(-Abs(x));
  return Select(x < 0.0, e, 1.0) / (1.0 + e);
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_MATH_H_
