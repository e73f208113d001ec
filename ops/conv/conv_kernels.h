// Convolution kernels. Views are contiguous float32 with shapes as in conv.h that fit, no dimension 0 (the op checks).
// Outputs overlap no operand.
#ifndef BITGATE_OPS_CONV_CONV_KERNELS_H_
#define BITGATE_OPS_CONV_CONV_KERNELS_H_

#include "ops/conv/conv.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {
namespace cpu {

// `bias` may be absent.
void Conv2dForward(KernelContext& context, View y, ConstView x, ConstView w, ConstView bias,
                   const Conv2dParams& params);

// The gradients of the convolution without its activation. Either of grad_x and grad_w may be absent, and grad_bias,
// which is absent without grad_w.
void Conv2dBackward(KernelContext& context, View grad_x, View grad_w, View grad_bias, ConstView grad_y, ConstView x,
                    ConstView w, const Conv2dParams& params);

}  // namespace cpu

namespace cuda {

void Conv2dForward(KernelContext& context, View y, ConstView x, ConstView w, ConstView bias,
                   const Conv2dParams& params);
void Conv2dBackward(KernelContext& context, View grad_x, View grad_w, View grad_bias, ConstView grad_y, ConstView x,
                    ConstView w, const Conv2dParams& params);

// The bare convolution and its gradients by plain loops, in float32: for the few that cuDNN refuses. No bias, no
// activation. Right for every shape, and slow.
void Conv2dForwardDirect(KernelContext& context, View y, ConstView x, ConstView w, const Conv2dParams& params);
void Conv2dBackwardDataDirect(KernelContext& context, View grad_x, ConstView grad_y, ConstView w,
                              const Conv2dParams& params);
void Conv2dBackwardWeightsDirect(KernelContext& context, View grad_w, ConstView grad_y, ConstView x,
                                 const Conv2dParams& params);

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_OPS_CONV_CONV_KERNELS_H_
