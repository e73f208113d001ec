// More channels: zeros around those there are, as the shortcut of a residual network that widens has them
// (arXiv 1512.03385, option A). float32, contiguous. Exact: the same bits on every device.
#ifndef BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_H_
#define BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// x [..., c] -> [..., channels], channels >= c: (channels - c) / 2 channels of zeros before, rounded down, the rest
// behind. The gradient is what the result's has in the middle. Saves nothing.
Tensor PadChannels(Context& context, const Tensor& x, int64_t channels);

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_H_
