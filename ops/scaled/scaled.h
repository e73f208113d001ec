// Multiplication by a number that lies on the device: what is left for the backward pass of an op that computed its
// gradient together with its value. Not an op: nothing is recorded.
#ifndef BITGATE_OPS_SCALED_SCALED_H_
#define BITGATE_OPS_SCALED_SCALED_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// x * factor, factor having one element; float32, contiguous. Exact on every device; never read by the host. `op` is
// for messages.
Tensor Scaled(Context& context, const char* op, const Tensor& x, const Tensor& factor);

}  // namespace bitgate

#endif  // BITGATE_OPS_SCALED_SCALED_H_
