#ifndef BITGATE_OPS_SCALED_SCALED_KERNELS_H_
#define BITGATE_OPS_SCALED_SCALED_KERNELS_H_

#include <cstdint>

#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// y[i] = factor[0] * x[i]; y may be x.
namespace cpu {
void ScaleByTensor(KernelContext& context, View y, ConstView x, ConstView factor, int64_t size);
}
namespace cuda {
void ScaleByTensor(KernelContext& context, View y, ConstView x, ConstView factor, int64_t size);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_SCALED_SCALED_KERNELS_H_
