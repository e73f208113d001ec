#ifndef BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_KERNELS_H_
#define BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_KERNELS_H_

#include <cstdint>

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// x as a matrix: one row per channel gate, or a single row without them.
struct BayesianBitsLayout {
  int64_t rows, elements;
  bool is_signed;
};

// Gradients of the parameters: range [1], gates [4], channel_gates [rows] (null data where absent).
struct BayesianBitsGradViews {
  View x, range, gates, channel_gates;
};

struct BayesianBitsInputs {
  ConstView x, range, gates, channel_gates;
};

BG_PER_ISA(void BayesianBitsForward(KernelContext& context, View y, const BayesianBitsInputs& in,
                                    BayesianBitsLayout layout);
           void BayesianBitsBackward(KernelContext& context, const BayesianBitsGradViews& grad_in, ConstView grad_y,
                                     const BayesianBitsInputs& in, BayesianBitsLayout layout);)
namespace cuda {
void BayesianBitsForward(KernelContext& context, View y, const BayesianBitsInputs& in, BayesianBitsLayout layout);
void BayesianBitsBackward(KernelContext& context, const BayesianBitsGradViews& grad_in, ConstView grad_y,
                          const BayesianBitsInputs& in, BayesianBitsLayout layout);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BAYESIAN_BITS_BAYESIAN_BITS_KERNELS_H_
