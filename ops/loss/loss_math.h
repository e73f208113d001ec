// Softmax cross-entropy of one row, in double: exponentials are few, and the loss and gradient are then correctly
// rounded but for one step. m is the row's maximum, S = sum over c of exp(x_c - m).
#ifndef BITGATE_OPS_LOSS_LOSS_MATH_H_
#define BITGATE_OPS_LOSS_LOSS_MATH_H_

#include "runtime/base/math.h"

namespace bitgate {

// exp(x_c - m)
BG_HD_INLINE double ShiftedExp(float logit, double maximum) { return Exp(logit - maximum); }

// -log softmax(x)_label = log S - (x_label - m)
BG_HD_INLINE double CrossEntropyLoss(float label_logit, double maximum, double sum) {
  return Log(sum) - (label_logit - maximum);
}

// scale * (softmax(x)_c - [c = label])
BG_HD_INLINE float CrossEntropyGradient(float logit, double maximum, double sum, bool is_label, double scale) {
  const double softmax = ShiftedExp(logit, maximum) / sum;
  return static_cast<float>((softmax - Select(is_label, 1.0, 0.0)) * scale);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_LOSS_LOSS_MATH_H_
