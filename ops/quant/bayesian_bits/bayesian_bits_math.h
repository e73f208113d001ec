// The Bayesian Bits quantizer, element by element (van Baalen et al., NeurIPS 2020, arXiv 2005.07093, eq. 1-6).
//
// A template over the value type: Vec on the CPU, float in CUDA kernels, double in tests. Division is division, or has
// its bits (runtime/kernel/divisor.h), and the clip is spelled as published, because low bits decide codes at ties.
#ifndef BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_MATH_H_
#define BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_MATH_H_

#include "runtime/base/math.h"
#include "runtime/kernel/divisor.h"

namespace bitgate {

// Bit widths 2, 4, 8, 16, 32; the gates between them are z4, z8, z16, z32.
constexpr int kBayesianBitsLevels = 5;
constexpr int kBayesianBitsGates = kBayesianBitsLevels - 1;

// 1 - 1e-7 in float32: keeps |v / s2| below 1.5, so that 2 bits stay ternary.
constexpr float kRangeShrink = 0.99999988f;

// Levels each divide the step size by 2^(b/2) + 1.
template <class T>
struct BayesianBitsScales {
  T low, high;  // alpha', beta': where the clip acts
  T scale[kBayesianBitsLevels];
};

// Scales by successive division from the range end beta.
template <class T>
BG_HD_INLINE BayesianBitsScales<T> MakeBayesianBitsScales(T beta, bool is_signed) {
  BayesianBitsScales<T> s;
  s.high = T(kRangeShrink) * beta;
  s.low = is_signed ? -s.high : T(0);
  s.scale[0] = (is_signed ? beta - -beta : beta - T(0)) / T(3);
  s.scale[1] = s.scale[0] / T(5);
  s.scale[2] = s.scale[1] / T(17);
  s.scale[3] = s.scale[2] / T(257);
  s.scale[4] = s.scale[3] / T(65537);
  return s;
}

// Whether Divisors cover all scales: the last is 2^-31 of the first.
BG_HD_INLINE bool CoveredByDivisors(const BayesianBitsScales<float>& s) {
  return Divisor::Covers(s.scale[0]) && s.scale[0] >= 0x1p32f * Divisor::kMin;
}

// What one element needs, as values of type V (broadcast on the CPU). Scale is V, or what V is divided by to V's bits.
template <class V, class Scale = V>
struct BayesianBitsElement {
  V low, high, span, zero, one;
  Scale scale[kBayesianBitsLevels];
  V gate[kBayesianBitsGates];  // z4, z8, z16, z32
  V channel_gate;              // z2
};

template <class V, class Scale = V, class Broadcast, class MakeScale>
BG_HD_INLINE BayesianBitsElement<V, Scale> MakeBayesianBitsElement(const BayesianBitsScales<float>& s,
                                                                   const float* gates, float channel_gate,
                                                                   Broadcast broadcast, MakeScale make_scale) {
  BayesianBitsElement<V, Scale> p;
  p.low = broadcast(s.low);
  p.high = broadcast(s.high);
  p.span = broadcast(s.high - s.low);
  p.zero = broadcast(0.0f);
  p.one = broadcast(1.0f);
  BG_UNROLL
  for (int level = 0; level < kBayesianBitsLevels; ++level) p.scale[level] = make_scale(s.scale[level]);
  BG_UNROLL
  for (int k = 0; k < kBayesianBitsGates; ++k) p.gate[k] = broadcast(gates[k]);
  p.channel_gate = broadcast(channel_gate);
  return p;
}

template <class V, class Broadcast>
BG_HD_INLINE BayesianBitsElement<V> MakeBayesianBitsElement(const BayesianBitsScales<float>& s, const float* gates,
                                                            float channel_gate, Broadcast broadcast) {
  return MakeBayesianBitsElement<V>(s, gates, channel_gate, broadcast, broadcast);
}

// v = high - relu((high - low) - relu(x - low)), in this order.
template <class V, class Scale>
BG_HD_INLINE V BayesianBitsClip(V x, const BayesianBitsElement<V, Scale>& p) {
  return p.high - Max(p.span - Max(x - p.low, p.zero), p.zero);
}

// h = x2 + z4 (e4 + z8 (e8 + z16 (e16 + z32 e32))) over the first kLevels levels; the gates of the others are 0.
// tail[k] receives H of gate k, what it multiplies: H4 = e4 + z8 H8 and so on.
template <int kLevels, class V, class Scale>
BG_HD_INLINE V BayesianBitsCascade(V v, const BayesianBitsElement<V, Scale>& p, V* tail) {
  const V x2 = p.scale[0] * Rint(v / p.scale[0]);
  V residual = v - x2;
  BG_UNROLL
  for (int k = 0; k < kLevels - 1; ++k) {
    tail[k] = p.scale[k + 1] * Rint(residual / p.scale[k + 1]);
    residual = residual - tail[k];
  }
  BG_UNROLL
  for (int k = kLevels - 3; k >= 0; --k) tail[k] = tail[k] + p.gate[k + 1] * tail[k + 1];
  if (kLevels == 1) return x2;
  return x2 + p.gate[0] * tail[0];
}

template <int kLevels, class V, class Scale>
BG_HD_INLINE V BayesianBitsForward(V x, const BayesianBitsElement<V, Scale>& p) {
  V tail[kBayesianBitsGates];
  return p.channel_gate * BayesianBitsCascade<kLevels>(BayesianBitsClip(x, p), p, tail);
}

// What the backward pass sums over elements, G = grad * z2:
constexpr int kSumResidual = 0;  // G (h - v)
constexpr int kSumEdge = 1;      // G (hi - signed lo)
constexpr int kSumChannel = 2;   // grad h
constexpr int kSumGates = 3;     // G H4, G H8, G H16, G H32
template <int kLevels>
constexpr int kBayesianBitsSums = kSumGates + kLevels - 1;

// Returns grad_x and adds the element's terms to `sums`. edge_low is 1 for a signed quantizer, 0 for an unsigned one.
template <int kLevels, class V, class Scale>
BG_HD_INLINE V BayesianBitsBackward(V x, V grad, const BayesianBitsElement<V, Scale>& p, V edge_low, V* sums) {
  V tail[kBayesianBitsGates];
  const V v = BayesianBitsClip(x, p);
  const V h = BayesianBitsCascade<kLevels>(v, p, tail);
  const V g = grad * p.channel_gate;
  const auto above = x >= p.high;
  const auto below = x <= p.low;
  sums[kSumResidual] = sums[kSumResidual] + g * (h - v);
  sums[kSumEdge] = sums[kSumEdge] + g * (Select(above, p.one, p.zero) - Select(below, edge_low, p.zero));
  sums[kSumChannel] = sums[kSumChannel] + grad * h;
  BG_UNROLL
  for (int k = 0; k < kLevels - 1; ++k) sums[kSumGates + k] = sums[kSumGates + k] + g * tail[k];
  return Select(above | below, p.zero, g);
}

// The parameters' gradients from the sums over all elements (kSumChannel excepted, which is per channel as it stands).
struct BayesianBitsParameterGrad {
  double range;
  double gate[kBayesianBitsGates];
};

BG_HD_INLINE BayesianBitsParameterGrad FinishBayesianBitsGrad(const double* sums, int levels, float beta,
                                                              const float* gates) {
  BayesianBitsParameterGrad grad;
  grad.range = sums[kSumResidual] / static_cast<double>(beta) + static_cast<double>(kRangeShrink) * sums[kSumEdge];
  double product = 1;
  for (int k = 0; k < kBayesianBitsGates; ++k) {
    grad.gate[k] = k < levels - 1 ? product * sums[kSumGates + k] : 0.0;
    product *= static_cast<double>(gates[k]);
  }
  return grad;
}

// Levels that count: those up to the first gate that is 0.
BG_HD_INLINE int ActiveLevels(const float* gates) {
  int levels = 1;
  bool open = true;
  BG_UNROLL
  for (int k = 0; k < kBayesianBitsGates; ++k) {
    open = open && gates[k] != 0.0f;
    levels += open ? 1 : 0;
  }
  return levels;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_MATH_H_
