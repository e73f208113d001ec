// A divisor prepared to divide many numbers: three operations a quotient where an IEEE division takes about ten.
//
// q0 = x * r, q = q0 - (q0 * d - x) * r with r = 1 / d, products and sums fused (Markstein, IBM J. Res. Dev. 34, 1990).
// For d in [kMin, kMax]:
// - where 2^-4 <= |x / d| < 2^126, q has the bits of x / d. q0 is within 1.5 units in the last place, so q is rounded
//   from a value within 1.5 * 2^-23 units of x / d; it could be rounded the wrong way only if x / d is that close to
//   the middle of two floats, which leaves a few x for each d. divisor_test.cc tries all of them, for all mantissas.
// - where |x / d| is less, q is below 1/8 and has the sign of x, zeros included: Rint(q) has the bits of Rint(x / d).
//   (The products' underflow costs at most 2^-150 / d, half of the least |x / d| above zero.)
// - where x is an integer from 0 to 2^16 and d a whole number to 2^16, q has the bits of x / d however small that is:
//   nothing underflows (divisor_test.cc tries all codes over 2^b - 1, and others).
// - a NaN stays. Infinities, and quotients that overflow, become NaN: x must be bounded by whoever divides.
#ifndef BITGATE_RUNTIME_KERNEL_DIVISOR_H_
#define BITGATE_RUNTIME_KERNEL_DIVISOR_H_

#include "runtime/base/math.h"

namespace bitgate {

struct Divisor {
  static constexpr float kMin = 0x1p-96f, kMax = 0x1p96f;

  BG_HD_INLINE static bool Covers(float value) { return value >= kMin && value <= kMax; }
  BG_HD_INLINE static Divisor Of(float value) { return {value, 1.0f / value}; }

  float value, reciprocal;
};

BG_HD_INLINE float operator/(float x, const Divisor& d) {
  const float quotient = x * d.reciprocal;
  return Fma(-Fma(quotient, d.value, -x), d.reciprocal, quotient);
}

BG_HD_INLINE float operator*(const Divisor& d, float x) { return d.value * x; }

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_DIVISOR_H_
