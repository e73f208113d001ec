// Max and average pooling of images [n, h, w, c], by oneDNN or, on CUDA, kernels of our own. float32, contiguous; only
// n may be 0.
//
// cuDNN's would need x and y again for the gradient, where a byte per output does here; and which of equal elements
// takes it, and what NaN and padding are, is as defined below on every device, the same bits each time.
#ifndef BITGATE_OPS_POOL_POOL_H_
#define BITGATE_OPS_POOL_POOL_H_

#include <array>
#include <cstdint>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Pairs are (height, width). Padding is the same on both sides and less than the kernel, so that every window has an
// element; a window that would reach past the padding at the end is left out.
struct Pool2dParams {
  std::array<int64_t, 2> kernel = {2, 2};
  std::array<int64_t, 2> stride = {2, 2};
  std::array<int64_t, 2> padding = {0, 0};
};

// The largest element of each window; padding and NaN never are. Of several the first in row-major order takes the
// gradient. Saves that element's place in its window: a byte per output, four when a window has more than 255 elements.
Tensor MaxPool2d(Context& context, const Tensor& x, const Pool2dParams& params = {});

// The mean of each window's elements; padding is not counted. Saves nothing.
Tensor AveragePool2d(Context& context, const Tensor& x, const Pool2dParams& params = {});

}  // namespace bitgate

#endif  // BITGATE_OPS_POOL_POOL_H_
