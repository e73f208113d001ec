#ifndef BITGATE_OPS_QUANT_FIXED_FIXED_QUANTIZE_KERNELS_H_
#define BITGATE_OPS_QUANT_FIXED_FIXED_QUANTIZE_KERNELS_H_

#include "ops/quant/fixed/fixed_quantize.h"
#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

struct FixedInputs {
  ConstView x, range, keep;  // keep.data null where absent
  int64_t rows, elements;    // x as a matrix: one row per entry of keep, or a single row
};

BG_PER_ISA(void FixedQuantizeForward(KernelContext& context, View y, const FixedInputs& in,
                                     const FixedQuantizer& quantizer);
           void FixedQuantizeBackward(KernelContext& context, View grad_x, View grad_range, ConstView grad_y,
                                      const FixedInputs& in, const FixedQuantizer& quantizer);)
namespace cuda {
void FixedQuantizeForward(KernelContext& context, View y, const FixedInputs& in, const FixedQuantizer& quantizer);
void FixedQuantizeBackward(KernelContext& context, View grad_x, View grad_range, ConstView grad_y,
                           const FixedInputs& in, const FixedQuantizer& quantizer);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_FIXED_FIXED_QUANTIZE_KERNELS_H_
