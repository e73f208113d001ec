// Kernels of ops/elementwise/pad_channels.h. Views are contiguous float32 that do not overlap.
#ifndef BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_KERNELS_H_
#define BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// y [rows, y_channels], x [rows, x_channels]; channel c of x is channel c + offset of y, which drops those that it does
// not have and fills up with zeros: offset >= 0 pads, offset <= 0 takes a middle out.
namespace cpu {
void PlaceChannels(KernelContext& context, View y, ConstView x, int64_t rows, int64_t y_channels, int64_t x_channels,
                   int64_t offset);
}  // namespace cpu
namespace cuda {
void PlaceChannels(KernelContext& context, View y, ConstView x, int64_t rows, int64_t y_channels, int64_t x_channels,
                   int64_t offset);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_KERNELS_H_
