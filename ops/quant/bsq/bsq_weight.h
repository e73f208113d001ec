// BSQ's weights: real-valued bit planes to quantized weights, as a differentiable op.
#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_WEIGHT_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_WEIGHT_H_

#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// w = scale * Q(u),  u = sum_b (P_b - M_b) 2^(bits - 1 - b) / (2^bits - 1),  Q(u) the nearest of 2^bits - 1 steps of
// sign and magnitude, saturated at 1. Exactly 0 where all codes are 0.
// planes: [at least 2 bits, elements...], rows P_0 ... P_(bits-1), M_0 ... M_(bits-1), the most significant first;
// further
//         rows are not looked at.  scale: [1].  bits: 1 to 8.
// row:    the weight's shape, `elements` in all: stands for what the rows of planes share. Its values are never read.
// Result: row's shape, in one pass. The same bits on every instruction set and device.
//
// Gradients, by the straight-through estimator (dQ/du = 1, also where saturated), from g at the result:
//     row:    G = scale * g, d loss / d u.  scale: sum of g * Q(u), in the same pass.
//     planes: none, never built. Theirs are G times BsqGains(bits), row by row, as ops/optim's ParameterUpdate takes
//     it:
//             {.parameter = planes, .gradient = Gradient(row), .gain = BsqGains(bits), .low = 0, .high = 2}.
// So `row`, not `planes`, is what a tape watches. A view costs no memory:
//     row = ReshapeView(SliceView(planes, 0, 0, 1), shape).
// On CUDA the scale is read on the device.
//
// Throws InvalidArgument on shapes, dtypes or bits that do not fit.
Tensor BsqWeight(Context& context, const Tensor& planes, const Tensor& row, const Tensor& scale, int bits);

// d u / d plane: 2^(bits - 1 - b) / (2^bits - 1) for P_b, the negative for M_b. [2 bits]. Throws InvalidArgument.
std::vector<float> BsqGains(int bits);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_WEIGHT_H_
