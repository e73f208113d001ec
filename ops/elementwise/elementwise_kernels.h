// Kernels of the elementwise ops. Views are contiguous float32 arrays of `size` elements (the op checks). An output may
// be an input, element for element; otherwise it overlaps none.
#ifndef BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_KERNELS_H_
#define BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

BG_PER_ISA(void Relu(KernelContext& context, View y, ConstView x, int64_t size);
           void ReluBackward(KernelContext& context, View grad_x, ConstView y, ConstView grad_y, int64_t size);
           void Mul(KernelContext& context, View y, ConstView a, ConstView b, int64_t size);
           void Scale(KernelContext& context, View y, ConstView x, float factor, int64_t size);)
namespace cuda {
void Relu(KernelContext& context, View y, ConstView x, int64_t size);
void ReluBackward(KernelContext& context, View grad_x, ConstView y, ConstView grad_y, int64_t size);
void Mul(KernelContext& context, View y, ConstView a, ConstView b, int64_t size);
void Scale(KernelContext& context, View y, ConstView x, float factor, int64_t size);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_ELEMENTWISE_KERNELS_H_
