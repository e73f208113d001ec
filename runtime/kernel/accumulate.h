// Sum of two arrays: what the tape adds gradients with, and the elementwise op `add` computes.
#ifndef BITGATE_RUNTIME_KERNEL_ACCUMULATE_H_
#define BITGATE_RUNTIME_KERNEL_ACCUMULATE_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// y = a + b; float32, contiguous, equal sizes (shapes are not compared); y may be a or b. Exact on every device.
void Add(Context& context, const Tensor& y, const Tensor& a, const Tensor& b);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_ACCUMULATE_H_
