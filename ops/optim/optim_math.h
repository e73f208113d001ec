// One element of an optimizer step; optim.h has the equations. Constants are parameters so that V may be a vector.
#ifndef BITGATE_OPS_OPTIM_OPTIM_MATH_H_
#define BITGATE_OPS_OPTIM_OPTIM_MATH_H_

#include "runtime/base/math.h"

namespace bitgate {

enum class UpdateKind : int { kAdam = 0, kSgd = 1, kMomentum = 2, kNesterov = 3 };

constexpr bool UsesFirstMoment(UpdateKind kind) { return kind != UpdateKind::kSgd; }
constexpr bool UsesSecondMoment(UpdateKind kind) { return kind == UpdateKind::kAdam; }

// What a step's arithmetic needs beside the arrays, computed in double and rounded once. Their places in memory:
constexpr int kStepScalars = 8;
constexpr int kBeta1 = 0, kOneMinusBeta1 = 1, kBeta2 = 2, kOneMinusBeta2 = 3;
constexpr int kStepSize = 4;     // learning_rate / (1 - beta1^step)
constexpr int kSecondScale = 5;  // 1 / sqrt(1 - beta2^step)
constexpr int kEpsilonTerm = 6;
constexpr int kLearningRate = 0, kMomentumFactor = 1;  // of stochastic gradient descent, which has no others but
constexpr int kWeightDecay = 7;                        // this one, that both have

template <class V>
struct AdamCoefficients {
  V beta1, one_minus_beta1, beta2, one_minus_beta2, step_size, second_scale, epsilon;
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

// The step of one kind with its scalars: a function of (grad, p, m, v, row). `broadcast` makes a V of a float.
template <UpdateKind kKind, class V>
struct ElementUpdate {
  AdamCoefficients<V> adam;
  SgdCoefficients<V> sgd;

  template <class Broadcast>
  BG_HD_INLINE static ElementUpdate Make(const float* s, Broadcast broadcast) {
    ElementUpdate update;
    if constexpr (kKind == UpdateKind::kAdam) {
      update.adam = {broadcast(s[kBeta1]),         broadcast(s[kOneMinusBeta1]), broadcast(s[kBeta2]),
                     broadcast(s[kOneMinusBeta2]), broadcast(s[kStepSize]),      broadcast(s[kSecondScale]),
                     broadcast(s[kEpsilonTerm])};
    } else {
      update.sgd = {broadcast(s[kLearningRate]), broadcast(s[kMomentumFactor])};
    }
    return update;
  }

  BG_HD_INLINE void operator()(V grad, V& p, V& m, V& v, const RowCoefficients<V>& row) const {
    if constexpr (kKind == UpdateKind::kAdam) AdamElement(grad, p, m, v, adam, row);
    if constexpr (kKind == UpdateKind::kSgd) SgdElement(grad, p, sgd, row);
    if constexpr (kKind == UpdateKind::kMomentum) MomentumElement(grad, p, m, sgd, row);
    if constexpr (kKind == UpdateKind::kNesterov) NesterovElement(grad, p, m, sgd, row);
  }
};

}  // namespace bitgate

#endif  // BITGATE_OPS_OPTIM_OPTIM_MATH_H_
