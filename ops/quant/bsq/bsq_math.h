// BSQ, element by element (Yang et al., ICLR 2021, arXiv 2102.10462): bit planes to weights (eq. 3 and 4), activations.
//
// Templates over the value type: Vec on the CPU, float in CUDA kernels and on the host, double in tests. The order of
// operations is that of the published code: it decides codes at ties, and all of them must come to the same code.
#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_MATH_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_MATH_H_

#include <cstdint>

#include "runtime/base/math.h"
#include "runtime/kernel/divisor.h"

namespace bitgate {

constexpr int kBsqMaxBits = 8;             // of a weight
constexpr int kBsqMaxActivationBits = 16;  // codes times 2^bits - 1 keep their order in float32
constexpr float kBsqRelu6 = 6.0f;

// 2^bits - 1, the largest code.
BG_HD_INLINE float BsqLevels(int bits) { return static_cast<float>((int64_t{1} << bits) - 1); }

// 2^(bits - 1 - b), what plane b counts in codes.
BG_HD_INLINE float BsqPlaneValue(int bits, int b) { return static_cast<float>(int64_t{1} << (bits - 1 - b)); }

// u (2^bits - 1) = sum_b (P_b - M_b) 2^(bits - 1 - b), the most significant plane first. plane(r) is row r of the
// planes, P and then M.
template <class V, class Plane, class Broadcast>
BG_HD_INLINE V BsqPlaneSum(int bits, const Plane& plane, const Broadcast& broadcast) {
  V sum = (plane(0) - plane(bits)) * broadcast(BsqPlaneValue(bits, 0));
  BG_UNROLL
  for (int b = 1; b < bits; ++b) sum = sum + (plane(b) - plane(bits + b)) * broadcast(BsqPlaneValue(bits, b));
  return sum;
}

// u (2^bits - 1) to the nearest code, saturated: Q(u) (2^bits - 1) with Q(u) = sign(u) round(min(|u|, 1) L) / L.
template <class V>
BG_HD_INLINE V BsqCode(V plane_sum, V levels, V one) {
  return Rint(Clamp(plane_sum / levels, -one, one) * levels);
}

// ---- activations ----

// What one element needs, as values of type V. Scale is V, or what V is divided by to V's bits.
template <class V, class Scale = V>
struct BsqActivationElement {
  V zero, bound;  // of the clip: 6, or PACT's alpha
  V levels;       // 2^bits - 1
  V largest;      // S, or 0
  Scale divisor;  // S; 1 where S is not above 0, so that all is 0
  Scale by_levels;
};

// Whether Divisors cover it: c L / S is below 2^126 then.
BG_HD_INLINE bool BsqCoveredByDivisors(float bound, float largest) {
  return bound >= 0.0f && bound <= 0x1p40f && (!(largest > 0.0f) || (largest >= 0x1p-60f && largest <= Divisor::kMax));
}

template <class V, class Scale = V, class Broadcast, class MakeScale>
BG_HD_INLINE BsqActivationElement<V, Scale> MakeBsqActivationElement(float bound, float largest, int bits,
                                                                     const Broadcast& broadcast,
                                                                     const MakeScale& make_scale) {
  const bool some = largest > 0.0f;
  return {broadcast(0.0f),
          broadcast(bound),
          broadcast(BsqLevels(bits)),
          broadcast(some ? largest : 0.0f),
          make_scale(some ? largest : 1.0f),
          make_scale(BsqLevels(bits))};
}

// R(clip(x)), R(c) = S round(c L / S) / L.
template <class V, class Scale>
BG_HD_INLINE V BsqActivationForward(V x, const BsqActivationElement<V, Scale>& p) {
  const V clipped = Clamp(x, p.zero, p.bound);
  return p.largest * (Min(Rint(clipped * p.levels / p.divisor), p.levels) / p.by_levels);
}

// Returns grad_x, straight through strictly inside the clip, and adds d y / d alpha * grad: all of it where the clip
// cuts from above.
template <class V>
BG_HD_INLINE V BsqActivationBackward(V x, V grad, V zero, V bound, V* sum) {
  *sum = *sum + Select(x >= bound, grad, zero);
  return Select((x > zero) & (x < bound), grad, zero);
}

// ---- group lasso ----

// ||P_b, M_b|| of eq. 5, from the sum of squares; the 1e-8 keeps its gradient finite at 0.
BG_HD_INLINE double BsqPlaneNorm(double squares) { return Sqrt(1e-8 + squares); }

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_MATH_H_
