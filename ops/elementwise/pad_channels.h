// More channels: zeros around those there are, as the shortcut of a residual network that widens has them
// (arXiv 1512.03385, option A). float32, contiguous. Exact: the same bits on every device.
#ifndef BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_H_
#define BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_H_

#include <cstdint>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// How many channels of zeros come before those there are: half of what is missing, rounded down.
constexpr int64_t PadChannelsBefore(int64_t channels, int64_t padded) { return (padded - channels) / 2; }

// x [..., c] -> [..., channels], channels >= c: PadChannelsBefore(c, channels) channels of zeros before, the rest
// behind. The gradient is what the result's has in the middle. Saves nothing.
Tensor PadChannels(Context& context, const Tensor& x, int64_t channels);

}  // namespace bitgate

#endif  // BITGATE_OPS_ELEMENTWISE_PAD_CHANNELS_H_
