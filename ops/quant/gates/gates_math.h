// Hard-concrete gates (Louizos et al., ICLR 2018, arXiv 1712.01312) as Bayesian Bits uses them (arXiv 2005.07093, 2.3).
#ifndef BITGATE_OPS_QUANT_GATES_GATES_MATH_H_
#define BITGATE_OPS_QUANT_GATES_GATES_MATH_H_

#include "runtime/base/math.h"

namespace bitgate {

// Temperature tau and stretch (gamma, zeta).
template <class V>
struct HardConcrete {
  static constexpr V kTemperature = V(2) / V(3);
  static constexpr V kLow = V(-0.1), kHigh = V(1.1);
  // A gate is kept in evaluation when the probability that it is 0 stays below this.
  static constexpr V kThreshold = V(0.34);
  // A cascade of gates stops at the first phi that is at most this.
  static constexpr V kCut = V(-2);
  // tau log(-gamma / zeta), = (2/3) log(1/11)
  static constexpr V kShift = V(-1.5985968485322469);
};

template <class V>
struct GateSample {
  V value;       // z
  V derivative;  // dz / dphi
};

// z = clamp(s (zeta - gamma) + gamma, 0, 1) with s = sigmoid(logit / tau). With noise u in (0, 1) the logit is
// log u - log(1 - u) + phi; without, it is phi.
template <class V>
BG_HD_INLINE GateSample<V> StretchedSigmoid(V logit) {
  using H = HardConcrete<V>;
  const V s = Sigmoid(logit / H::kTemperature);
  const V stretched = s * (H::kHigh - H::kLow) + H::kLow;
  const V slope = (H::kHigh - H::kLow) / H::kTemperature * s * (V(1) - s);
  const bool inside = stretched > V(0) && stretched < V(1);
  return {Clamp(stretched, V(0), V(1)), Select(inside, slope, V(0))};
}

template <class V>
BG_HD_INLINE GateSample<V> SampleGate(V phi, V u) {
  return StretchedSigmoid(Log(u) - Log(V(1) - u) + phi);
}

// P(z > 0)
template <class V>
BG_HD_INLINE V OpenProbability(V phi) {
  return Sigmoid(phi - HardConcrete<V>::kShift);
}

// The decision of evaluation and freezing: P(z = 0) < 0.34.
template <class V>
BG_HD_INLINE bool IsGateOpen(V phi) {
  return Sigmoid(HardConcrete<V>::kShift - phi) < HardConcrete<V>::kThreshold;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATES_MATH_H_
