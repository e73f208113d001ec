// Two-dimensional convolution, by oneDNN's direct algorithm or, on CUDA, cuDNN. Same bits for the same processor and
// number of threads, or the same GPU and libraries. The context's Compute says how operands are rounded; with bfloat16
// a GPU rounds results, gradients included, to bfloat16 too, before bias and activation. (The bias' gradient is the sum
// of what is not rounded.)
#ifndef BITGATE_OPS_CONV_CONV_H_
#define BITGATE_OPS_CONV_CONV_H_

#include <array>
#include <cstdint>

#include "ops/elementwise/activation.h"
#include "ops/operand_steps.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Pairs are (height, width). Padding is with zeros, the same on both sides.
struct Conv2dParams {
  std::array<int64_t, 2> stride = {1, 1};
  std::array<int64_t, 2> padding = {0, 0};
  int64_t groups = 1;
  Activation activation = Activation::kNone;
  OperandSteps steps = {};  // of x and w
};

// y[n, p, q, o] = activation(sum over r, s, i of x[n, p*stride - padding + r, q*stride - padding + s, i] w[o, r, s, i]
//                            + bias[o])
// x [n, h, w, c], w [o, kh, kw, c / groups], bias [o] or undefined; y [n, p, q, o]. With groups, output channels come
// in `groups` equal runs, each reading its own run of c / groups input channels. float32, contiguous; only n may be 0.
// Saves x and w, and y when there is an activation.
Tensor Conv2d(Context& context, const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dParams& params = {});

}  // namespace bitgate

#endif  // BITGATE_OPS_CONV_CONV_H_
