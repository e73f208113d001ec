#ifndef BITGATE_OPS_QUANT_GATES_GATES_KERNELS_H_
#define BITGATE_OPS_QUANT_GATES_GATES_KERNELS_H_

#include "ops/quant/gates/gate_layout.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// `table` is the layout's on the device (GateLayout::Table); absent on the CPU, whose kernels read the layout itself.
//
// GateValues: z and dz/dphi for every value.
// GateGradients: grad_phi = sum over the values of each phi, in order, of grad_value * derivative.
// GatePenalty: weight * the regularizer, and its gradient.
namespace cpu {
void GateValues(KernelContext& context, View values, View derivatives, ConstView phi, ConstView noise, GateMode mode,
                const GateLayout& layout, ConstView table);
void GateGradients(KernelContext& context, View grad_phi, ConstView grad_values, ConstView derivatives,
                   const GateLayout& layout, ConstView table);
void GatePenalty(KernelContext& context, View penalty, View grad_phi, ConstView phi, double weight,
                 const GateLayout& layout, ConstView table);
}  // namespace cpu
namespace cuda {
void GateValues(KernelContext& context, View values, View derivatives, ConstView phi, ConstView noise, GateMode mode,
                const GateLayout& layout, ConstView table);
void GateGradients(KernelContext& context, View grad_phi, ConstView grad_values, ConstView derivatives,
                   const GateLayout& layout, ConstView table);
void GatePenalty(KernelContext& context, View penalty, View grad_phi, ConstView phi, double weight,
                 const GateLayout& layout, ConstView table);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_GATES_GATES_KERNELS_H_
