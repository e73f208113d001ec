// Matrix products, by oneDNN or, on CUDA, cuBLASLt. Operands are float32, row-major, contiguous. Same bits for the same
// processor and number of threads, or the same GPU and libraries; the context's Compute says how operands are rounded.
#ifndef BITGATE_OPS_LINALG_LINALG_H_
#define BITGATE_OPS_LINALG_LINALG_H_

#include "ops/elementwise/activation.h"
#include "ops/operand_steps.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// y[n, o] = activation(sum over i of x[n, i] w[o, i] + bias[o]); x [n, in], w [out, in], bias [out] or undefined;
// in and out at least 1. `steps` are of x and w. Saves x and w, and y when there is an activation.
Tensor Linear(Context& context, const Tensor& x, const Tensor& w, const Tensor& bias,
              Activation activation = Activation::kNone, const OperandSteps& steps = {});

// op(a) op(b), where op transposes a matrix when asked; [m, k] by [k, n] gives [m, n]. k = 0 gives zeros.
Tensor MatMul(Context& context, const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);

}  // namespace bitgate

#endif  // BITGATE_OPS_LINALG_LINALG_H_
