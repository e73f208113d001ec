// One element of an optimizer step; optim.h has the equations. Constants are parameters so that V may be a vector.
#ifndef BITGATE_OPS_OPTIM_OPTIM_MATH_H_
#define BITGATE_OPS_OPTIM_OPTIM_MATH_H_

#include "runtime/base/math.h"

namespace bitgate {

// What does not change during a step, computed in double and rounded once.
template <class V>
struct AdamCoefficients {
  V beta1, one_minus_beta1, beta2, one_minus_beta2;
  V step_size;     // learning_rate / (1 - beta1^step)
  V second_scale;  // 1 / sqrt(1 - beta2^step)
  V epsilon;
};

template <class V>
struct SgdCoefficients {
  V learning_rate, momentum;
};

// What belongs to a row of a parameter.
template <class V>
struct RowCoefficients {
  V gain, decay;  // decay includes the weight decay
  V low, high;
};

template <class V>
BG_HD_INLINE V RowGradient(V gradient, V p, const RowCoefficients<V>& row) {
  return row.gain * gradient + row.decay * p;
}

template <class V>
BG_HD_INLINE void AdamElement(V grad, V& p, V& m, V& v, const AdamCoefficients<V>& c, const RowCoefficients<V>& row) {
  m = c.beta1 * m + c.one_minus_beta1 * grad;
  v = c.beta2 * v + c.one_minus_beta2 * grad * grad;
  p = Clamp(p - c.step_size * m / (Sqrt(v) * c.second_scale + c.epsilon), row.low, row.high);
}

template <class V>
BG_HD_INLINE void SgdElement(V grad, V& p, const SgdCoefficients<V>& c, const RowCoefficients<V>& row) {
  p = Clamp(p - c.learning_rate * grad, row.low, row.high);
}

template <class V>
BG_HD_INLINE void MomentumElement(V grad, V& p, V& m, const SgdCoefficients<V>& c, const RowCoefficients<V>& row) {
  m = c.momentum * m + grad;
  p = Clamp(p - c.learning_rate * m, row.low, row.high);
}

template <class V>
BG_HD_INLINE void NesterovElement(V grad, V& p, V& m, const SgdCoefficients<V>& c, const RowCoefficients<V>& row) {
  m = c.momentum * m + grad;
  p = Clamp(p - c.learning_rate * (grad + c.momentum * m), row.low, row.high);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_OPTIM_OPTIM_MATH_H_
