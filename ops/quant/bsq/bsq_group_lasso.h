// BSQ's regularizer: a group lasso over the bit planes of a layer.
#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_GROUP_LASSO_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_GROUP_LASSO_H_

#include <cstdint>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Both float32, on the context's device.
struct BsqLasso {
  Tensor penalty;  // [1]
  Tensor decay;    // [2 bits], for ParameterUpdate.decay: d penalty / d plane r = decay[r] * plane r
};

// penalty = weight * sum_b n_b and decay[b] = decay[bits + b] = weight / n_b, with n_b = sqrt(1e-8 + ||P_b||^2 +
// ||M_b||^2), in one pass over planes (as BsqWeight takes them).
// Nothing is recorded: the decay is the gradient, and the optimizer applies it without another pass.
// Sums are in another order on CUDA. Throws InvalidArgument on shapes, dtypes or bits that do not fit, and for a weight
// that is negative or not finite.
BsqLasso BsqGroupLasso(Context& context, const Tensor& planes, int bits, double weight);

// The memory-aware weight of a layer (arXiv 2102.10462, eq. 5): alpha n_l N_l / n_total.
inline double BsqLassoWeight(double alpha, int64_t elements, int bits, int64_t total_elements) {
  return alpha * static_cast<double>(elements) * bits / static_cast<double>(total_elements);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_GROUP_LASSO_H_
