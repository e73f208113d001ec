// Pooling kernels. Views are contiguous, float32 except the index, with shapes as in pool.h that fit, no dimension 0
// (the op checks). Outputs overlap no operand.
#ifndef BITGATE_OPS_POOL_POOL_KERNELS_H_
#define BITGATE_OPS_POOL_POOL_KERNELS_H_

#include "ops/pool/pool.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

enum class PoolKind : int { kMax = 0, kAverage = 1 };

// Of the tensor, in the shape of the output, that says which element of each window was the largest.
constexpr DType MaxPoolIndexDType(const Pool2dParams& params) {
  return params.kernel[0] <= 255 && params.kernel[1] <= 255 && params.kernel[0] * params.kernel[1] <= 255
             ? DType::kUint8
             : DType::kInt32;
}

namespace cpu {
// `index` is absent for averages, and for maxima that nobody asks the gradient of.
void Pool2dForward(KernelContext& context, PoolKind kind, View y, View index, ConstView x, const Pool2dParams& params);
void Pool2dBackward(KernelContext& context, PoolKind kind, View grad_x, ConstView index, ConstView grad_y,
                    const Pool2dParams& params);
}  // namespace cpu
namespace cuda {
void Pool2dForward(KernelContext& context, PoolKind kind, View y, View index, ConstView x, const Pool2dParams& params);
void Pool2dBackward(KernelContext& context, PoolKind kind, View grad_x, ConstView index, ConstView grad_y,
                    const Pool2dParams& params);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_POOL_POOL_KERNELS_H_
