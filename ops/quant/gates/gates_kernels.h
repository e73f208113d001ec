#ifndef BITGATE_OPS_QUANT_GATES_GATES_KERNELS_H_
#define BITGATE_OPS_QUANT_GATES_GATES_KERNELS_H_

#include "ops/quant/gates/gates.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {
namespace cpu {

// z and dz/dphi for every value.
void GateValues(KernelContext& context, View values, View derivatives, ConstView phi, ConstView noise, GateMode mode,
                const GateLayout& layout);
// grad_phi = sum over the values of each phi of grad_value * derivative.
void GateGradients(KernelContext& context, View grad_phi, ConstView grad_values, ConstView derivatives,
                   const GateLayout& layout);
// weight * the regularizer, and its gradient.
void GatePenalty(KernelContext& context, View penalty, View grad_phi, ConstView phi, double weight,
                 const GateLayout& layout);

}  // namespace cpu
}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATES_KERNELS_H_
