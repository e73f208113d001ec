// Kernels of the matrix products. Views are contiguous float32 matrices whose shapes fit (the op checks); y overlaps no
// operand.
#ifndef BITGATE_OPS_LINALG_LINALG_KERNELS_H_
#define BITGATE_OPS_LINALG_LINALG_KERNELS_H_

#include "ops/elementwise/activation.h"
#include "ops/operand_steps.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// How a product reads its operands and what it does to the result.
struct MatMulParams {
  bool transpose_a = false;
  bool transpose_b = false;
  Activation activation = Activation::kNone;
  OperandSteps steps = {};  // of a, b
};

namespace cpu {
// y = activation(op(a) op(b) + bias), bias absent or one value per column. No dimension is 0.
void MatMul(KernelContext& context, View y, ConstView a, ConstView b, ConstView bias, const MatMulParams& params);
}  // namespace cpu
namespace cuda {
void MatMul(KernelContext& context, View y, ConstView a, ConstView b, ConstView bias, const MatMulParams& params);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_LINALG_LINALG_KERNELS_H_
