// Hard-concrete gates (Louizos et al., ICLR 2018, arXiv 1712.01312) as Bayesian Bits uses them (arXiv 2005.07093, 2.3).
#ifndef BITGATE_OPS_QUANT_GATES_GATES_MATH_H_
#define BITGATE_OPS_QUANT_GATES_GATES_MATH_H_

#include <cstdint>

#include "ops/quant/gates/gate_layout.h"
#include "runtime/base/math.h"

namespace bitgate {

// Temperature tau and stretch (gamma, zeta).
template <class V>
struct HardConcrete {
  static constexpr V kTemperature = V(2) / V(3);
  static constexpr V kLow = V(-0.1), kHigh = V(1.1);
  // A gate is kept in evaluation when the probability that it is 0 stays below this,
  static constexpr V kThreshold = V(0.34);
  // which is so above this phi: the greatest float32 for which sigmoid(shift - phi) is not below, in float32.
  static constexpr V kClosed = V(-0x1.dedffap-1);
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

// The decision of evaluation and freezing: P(z = 0) < 0.34. A comparison, so that devices cannot disagree.
template <class V>
BG_HD_INLINE bool IsGateOpen(V phi) {
  return phi > HardConcrete<V>::kClosed;
}

// ---- the gates of a site ----

// z of the gate whose phi is at `offset`.
BG_HD_INLINE GateSample<float> GateAt(int64_t offset, const float* phi, const float* noise, GateMode mode) {
  switch (mode) {
    case GateMode::kStochastic:
      return SampleGate(phi[offset], noise[offset]);
    case GateMode::kDeterministic:
      return StretchedSigmoid(phi[offset]);
    case GateMode::kThreshold:
      break;
  }
  return {IsGateOpen(phi[offset]) ? 1.0f : 0.0f, 0.0f};
}

// z of level k: 0 when it or a level before it is closed or cut.
BG_HD_INLINE GateSample<float> LevelGate(const GateSite& site, int level, const float* phi, const float* noise,
                                         GateMode mode) {
  for (int k = 0; k <= level; ++k) {
    const int64_t offset = site.level[k];
    if (offset == kGateClosed || (offset >= 0 && phi[offset] <= HardConcrete<float>::kCut)) return {0.0f, 0.0f};
  }
  if (site.level[level] == kGateOpen) return {1.0f, 0.0f};
  return GateAt(site.level[level], phi, noise, mode);
}

// ---- the regularizer of a site ----

// q in float32, as published: 1 - q of an open gate has few bits left, and training is to follow the same ones.
BG_HD_INLINE double GateProbability(float phi) { return OpenProbability(phi); }

// The levels' part of R, in double. With prefix P_k = prod of q up to gate k and suffix T_k = c_k + q_(k+1) T_(k+1):
// R = q2 (c2 + q4 T4), and dR/dq_k = P_(k-1) T_k.
struct LevelChain {
  double q[4];
  double before[4];  // P_(k-1)
  bool counts[4];    // has a phi of its own, and is reached
  double inner;      // q4 T4
};

BG_HD_INLINE LevelChain MakeLevelChain(const GateSite& site, const float* phi) {
  LevelChain chain;
  double prefix = 1;
  bool closed = false;
  chain.inner = 0;
  for (int k = 0; k < 4; ++k) {
    const int64_t offset = site.level[k];
    closed = closed || offset == kGateClosed;
    // A gate shared with the level before it is one event: its probability enters the product once.
    const bool own = offset >= 0 && (k == 0 || offset != site.level[k - 1]);
    chain.q[k] = closed ? 0.0 : own ? GateProbability(phi[offset]) : 1.0;
    chain.counts[k] = own && !closed;
    chain.before[k] = prefix;
    prefix *= chain.q[k];
    chain.inner += site.cost[k + 1] * prefix;
  }
  return chain;
}

// R; mean_q2 is 1 for a site without channel gates.
BG_HD_INLINE double SitePenalty(const GateSite& site, const LevelChain& chain, double mean_q2) {
  return site.channels > 0 ? mean_q2 * (site.cost[0] + chain.inner) : 1.0 + chain.inner;
}

// weight * dR/dphi of a channel's gate
BG_HD_INLINE double ChannelPenaltyGradient(const GateSite& site, const LevelChain& chain, double q2, double weight) {
  return weight * q2 * (1 - q2) * (site.cost[0] + chain.inner) / site.channels;
}

// weight * dR/dphi of the levels' gates; 0 for those that do not count.
BG_HD_INLINE void LevelPenaltyGradients(const GateSite& site, const LevelChain& chain, double mean_q2, double weight,
                                        double* gradient) {
  double suffix = 0;
  for (int k = 3; k >= 0; --k) {
    suffix = site.cost[k + 1] + (k < 3 ? chain.q[k + 1] * suffix : 0.0);
    const double slope = weight * mean_q2 * chain.before[k] * suffix * chain.q[k] * (1 - chain.q[k]);
    gradient[k] = chain.counts[k] ? slope : 0.0;
  }
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATES_MATH_H_
