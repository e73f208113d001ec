#ifndef BITGATE_RUNTIME_KERNEL_ACCUMULATE_KERNELS_H_
#define BITGATE_RUNTIME_KERNEL_ACCUMULATE_KERNELS_H_

#include <cstdint>

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

BG_PER_ISA(void Add(KernelContext& context, View y, ConstView a, ConstView b, int64_t size);)
namespace cuda {
void Add(KernelContext& context, View y, ConstView a, ConstView b, int64_t size);
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_ACCUMULATE_KERNELS_H_
