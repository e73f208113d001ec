// Kernels of the losses. Views are contiguous, float32 except labels and counts (int32), and their shapes fit; on the
// CPU labels are in range (the op checks). Outputs overlap no operand.
#ifndef BITGATE_OPS_LOSS_LOSS_KERNELS_H_
#define BITGATE_OPS_LOSS_LOSS_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// SoftmaxCrossEntropy: logits [n, c], labels [n]; loss has one element; grad_logits [n, c], absent when nobody wants
// it. CountCorrect: count has one element.
namespace cpu {
void SoftmaxCrossEntropy(KernelContext& context, View loss, View grad_logits, ConstView logits, ConstView labels);
void CountCorrect(KernelContext& context, View count, ConstView logits, ConstView labels);
}  // namespace cpu
namespace cuda {
void SoftmaxCrossEntropy(KernelContext& context, View loss, View grad_logits, ConstView logits, ConstView labels);
void CountCorrect(KernelContext& context, View count, ConstView logits, ConstView labels);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_LOSS_LOSS_KERNELS_H_
