// Kernels of the reductions and their gradients. Views are contiguous float32 arrays of at least the sizes given (the
// op checks); y overlaps no operand.
#ifndef BITGATE_OPS_REDUCE_REDUCE_KERNELS_H_
#define BITGATE_OPS_REDUCE_REDUCE_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

BG_PER_ISA(
    // y[0] = (sum of x) / divisor
    void Sum(KernelContext& context, View y, ConstView x, int64_t size, double divisor);
    // y[i] = value[0] / divisor
    void Fill(KernelContext& context, View y, ConstView value, int64_t size, double divisor);
    // y[c] = sum over r of x[r, c]
    void SumRows(KernelContext& context, View y, ConstView x, int64_t rows, int64_t columns);
    // y[r, c] = row[c]
    void RepeatRow(KernelContext& context, View y, ConstView row, int64_t rows, int64_t columns);)
namespace cuda {
void Sum(KernelContext& context, View y, ConstView x, int64_t size, double divisor);
void Fill(KernelContext& context, View y, ConstView value, int64_t size, double divisor);
void SumRows(KernelContext& context, View y, ConstView x, int64_t rows, int64_t columns);
void RepeatRow(KernelContext& context, View y, ConstView row, int64_t rows, int64_t columns);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_REDUCE_REDUCE_KERNELS_H_
