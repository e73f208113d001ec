#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_KERNELS_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_KERNELS_H_

#include <cstdint>

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// 2 bits rows of `elements`.
struct BsqPlanes {
  ConstView planes;
  int bits;
  int64_t elements;
};

// The clip of an activation: to alpha's value, or without data to 6.
struct BsqActivationInputs {
  ConstView x, alpha;
  int64_t size;
};

// quantized receives Q(u), where it has data; grad_alpha may have none.
BG_PER_ISA(void BsqWeightForward(KernelContext& context, View w, View quantized, const BsqPlanes& in, ConstView scale);
           void BsqWeightBackward(KernelContext& context, View grad_row, View grad_scale, ConstView grad_w,
                                  ConstView quantized, ConstView scale, int64_t elements);
           void BsqGroupLasso(KernelContext& context, View penalty, View decay, const BsqPlanes& in, double weight);
           void BsqLargest(KernelContext& context, View largest, const BsqActivationInputs& in);
           void BsqActivationForward(KernelContext& context, View y, const BsqActivationInputs& in, ConstView largest,
                                     int bits);
           void BsqActivationBackward(KernelContext& context, View grad_x, View grad_alpha, ConstView grad_y,
                                      const BsqActivationInputs& in);)
namespace cuda {
void BsqWeightForward(KernelContext& context, View w, View quantized, const BsqPlanes& in, ConstView scale);
void BsqWeightBackward(KernelContext& context, View grad_row, View grad_scale, ConstView grad_w, ConstView quantized,
                       ConstView scale, int64_t elements);
void BsqGroupLasso(KernelContext& context, View penalty, View decay, const BsqPlanes& in, double weight);
void BsqLargest(KernelContext& context, View largest, const BsqActivationInputs& in);
void BsqActivationForward(KernelContext& context, View y, const BsqActivationInputs& in, ConstView largest, int bits);
void BsqActivationBackward(KernelContext& context, View grad_x, View grad_alpha, ConstView grad_y,
                           const BsqActivationInputs& in);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_KERNELS_H_
