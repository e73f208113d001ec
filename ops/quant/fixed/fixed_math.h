// The frozen quantizer, element by element: one rounding, as ONNX's QuantizeLinear and an integer engine compute it.
#ifndef BITGATE_OPS_QUANT_FIXED_FIXED_MATH_H_
#define BITGATE_OPS_QUANT_FIXED_FIXED_MATH_H_

#include "ops/quant/fixed/fixed_quantize.h"
#include "runtime/base/math.h"

namespace bitgate {

// Step size and clip of a frozen quantizer: all proportional to its range end.
struct FixedLengths {
  float scale, low, high;
};

// The lengths frozen at `frozen_range`, at the range that has been learned since; unchanged bits while they are equal.
BG_HD_INLINE FixedLengths StretchLengths(FixedLengths frozen, float range, float frozen_range) {
  const float ratio = range / frozen_range;
  return {frozen.scale * ratio, frozen.low * ratio, frozen.high * ratio};
}

template <class V>
struct FixedElement {
  V scale, qmin, qmax;  // code = clamp(round(x / scale), qmin, qmax)
  V low, high;          // the straight-through range: gradient passes strictly inside
  V keep;               // 1, or 0 for a pruned channel
  V zero;
};

// The element of a quantizer whose range is `range` now; `broadcast` makes a V of a float.
template <class V, class Broadcast>
BG_HD_INLINE FixedElement<V> MakeFixedElement(const FixedQuantizer& q, float range, float keep, Broadcast broadcast) {
  const FixedLengths lengths = StretchLengths({q.scale, q.low, q.high}, range, q.range);
  FixedElement<V> p;
  p.scale = broadcast(lengths.scale);
  p.qmin = broadcast(static_cast<float>(q.qmin));
  p.qmax = broadcast(static_cast<float>(q.qmax));
  p.low = broadcast(lengths.low);
  p.high = broadcast(lengths.high);
  p.keep = broadcast(keep);
  p.zero = broadcast(0.0f);
  return p;
}

template <class V>
BG_HD_INLINE V FixedCode(V x, const FixedElement<V>& p) {
  return Clamp(Rint(x / p.scale), p.qmin, p.qmax);
}

template <class V>
BG_HD_INLINE V FixedForward(V x, const FixedElement<V>& p) {
  return p.keep * (p.scale * FixedCode(x, p));
}

// Returns grad_x and adds d y / d scale * grad to *sum (LSQ's rule, arXiv 1902.08153 eq. 3: round(v) - v inside, the
// code where it is clipped, which may be within the straight-through range).
template <class V>
BG_HD_INLINE V FixedBackward(V x, V grad, const FixedElement<V>& p, V* sum) {
  const V g = grad * p.keep;
  const V steps = x / p.scale, rounded = Rint(steps), code = Clamp(rounded, p.qmin, p.qmax);
  const auto outside = (x <= p.low) | (x >= p.high);
  const auto clipped = outside | (rounded < p.qmin) | (rounded > p.qmax);
  *sum = *sum + g * Select(clipped, code, code - steps);
  return Select(outside, p.zero, g);
}

template <class V>
BG_HD_INLINE V ClipForward(V x, const FixedElement<V>& p) {
  return p.keep * Clamp(x, p.low, p.high);
}

// Adds d y / d (range ratio) * grad: the bound where the value was clipped, 0 inside.
template <class V>
BG_HD_INLINE V ClipBackward(V x, V grad, const FixedElement<V>& p, V* sum) {
  const V g = grad * p.keep;
  const auto outside = (x <= p.low) | (x >= p.high);
  *sum = *sum + g * Select(outside, Clamp(x, p.low, p.high), p.zero);
  return Select(outside, p.zero, g);
}

// The range's gradient from the sum over all elements: d scale / d range = scale / range at freezing; the clip's sum is
// in units of the bounds.
BG_HD_INLINE float FinishFixedGrad(const FixedQuantizer& q, float range, double sum) {
  const double per_range = q.clip_only ? 1.0 / range : static_cast<double>(q.scale) / q.range;
  return static_cast<float>(sum * per_range);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_FIXED_FIXED_MATH_H_
