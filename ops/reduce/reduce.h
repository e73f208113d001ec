// Sums of float32 elements, accumulated in double in an order that depends on the shape alone: the same bits for every
// instruction set and thread count, and within one rounding of the exact sum for any practical size. On CUDA too, in
// another order.
#ifndef BITGATE_OPS_REDUCE_REDUCE_H_
#define BITGATE_OPS_REDUCE_REDUCE_H_

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// The sum of all elements, a scalar (shape []); 0 for none. Every element gets the scalar's gradient.
Tensor Sum(Context& context, const Tensor& x);

// Sum divided by the number of elements. Throws InvalidArgument when there is none.
Tensor Mean(Context& context, const Tensor& x);

// [n, c] -> [c]: the sum over rows. Every row gets the result's gradient.
Tensor SumRows(Context& context, const Tensor& x);

}  // namespace bitgate

#endif  // BITGATE_OPS_REDUCE_REDUCE_H_
