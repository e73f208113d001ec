// The gradient of a parameter that is rows, whole, for loops that step by another optimizer than ops/optim's.
#ifndef BITGATE_MODELS_NN_FULL_GRADIENT_H_
#define BITGATE_MODELS_NN_FULL_GRADIENT_H_

#include "models/quantized/parameter.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Of a parameter with gain or decay, with G the gradient of Parameter::row and s that of the method's penalty (a
// scalar), each undefined for zeros:
//     grad[r, i] = gain[r] * G[i] + s * decay[r] * value[r, i]
// in the first rows, as many as gain and decay have; zeros in those behind them. A new tensor of the value's shape, on
// the context's device; the same bits on every device. Not recorded.
Tensor FullGradient(Context& context, const Parameter& parameter, const Tensor& row_gradient,
                    const Tensor& penalty_gradient);

}  // namespace bitgate

#endif  // BITGATE_MODELS_NN_FULL_GRADIENT_H_
