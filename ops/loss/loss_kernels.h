// Kernels of the losses. Views are contiguous, float32 except labels and counts (int32), and their shapes fit; labels
// are in range (the op checks). Outputs overlap no operand, except that y of ScaleByTensor may be x.
#ifndef BITGATE_OPS_LOSS_LOSS_KERNELS_H_
#define BITGATE_OPS_LOSS_LOSS_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {
namespace cpu {

// logits [n, c], labels [n] within [0, c); loss has one element; grad_logits [n, c], absent when nobody wants it.
void SoftmaxCrossEntropy(KernelContext& context, View loss, View grad_logits, ConstView logits, ConstView labels);

// y[i] = factor[0] * x[i]
void ScaleByTensor(KernelContext& context, View y, ConstView x, ConstView factor, int64_t size);

// count [1], int32
void CountCorrect(KernelContext& context, View count, ConstView logits, ConstView labels);

}  // namespace cpu
}  // namespace bitgate

#endif  // BITGATE_OPS_LOSS_LOSS_KERNELS_H_
