// Kernels of ops/norm/folded_norm.h. Views are contiguous float32, one value a channel where nothing else is said;
// there is at least one channel (the op checks). Outputs overlap no operand but where they are updated.
#ifndef BITGATE_OPS_NORM_FOLDED_NORM_KERNELS_H_
#define BITGATE_OPS_NORM_FOLDED_NORM_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// x, the gradients of it and of the result [rows, channels]; grad_x may be absent.
struct FoldedNormGradients {
  View grad_x, grad_mean, grad_variance, grad_gamma, grad_beta;
};
struct FoldedNormOperands {
  ConstView grad_result, x;               // the gradient after the activation
  ConstView mean, variance, gamma, beta;  // of the batch
  ConstView folded_mean, deviation;       // of FoldNorm
};

// UnfoldedChannels of folded_norm_math.h.
struct UnfoldedStatistics {
  View mean, scaled, scale, share, shift, inverse_gate;
};
struct UnfoldOperands {
  ConstView mean, variance;              // of x
  ConstView float_mean, float_variance;  // of the float layer; may be absent
  ConstView gamma, gates;                // gates may be absent: ones
};
// Of gamma, of the gates (may be absent), and the sums by which x gets its own.
struct UnfoldGradients {
  View grad_gamma, grad_gates, sum, products;
};

BG_PER_ISA(
    // w, y [rows, elements]; gain and its gradient [rows]. Of the gradients either may be absent.
    void ScaleRows(KernelContext& context, View y, ConstView w, ConstView gain, int64_t rows, int64_t elements);
    void ScaleRowsBackward(KernelContext& context, View grad_w, View grad_gain, ConstView w, ConstView gain,
                           ConstView grad_y, int64_t rows, int64_t elements);
    // The steps of folded_norm_math.h.
    void FoldGain(KernelContext& context, View gain, View inverse, ConstView gamma, ConstView variance, float epsilon,
                  int64_t channels);
    void FoldShift(KernelContext& context, View shift, View slope, ConstView gamma, ConstView beta, ConstView mean,
                   ConstView variance, float epsilon, int64_t channels);
    void FoldNorm(KernelContext& context, View folded_mean, View deviation, ConstView gamma, ConstView mean,
                  ConstView running_variance, float epsilon, int64_t channels);
    void UnfoldStatistics(KernelContext& context, const UnfoldedStatistics& out, View running_mean,
                          View running_variance, const UnfoldOperands& in, float momentum, float epsilon, int64_t rows,
                          int64_t channels);
    void UnfoldBackward(KernelContext& context, const UnfoldGradients& out, const UnfoldedStatistics& in, ConstView sum,
                        ConstView products, ConstView mean_of_x, int64_t channels);
    void UpdateRunning(KernelContext& context, View running_mean, View running_variance, ConstView mean,
                       ConstView variance, float momentum, int64_t rows, int64_t channels);
    // One pass over x.
    void FoldedNormBackward(KernelContext& context, const FoldedNormGradients& out, const FoldedNormOperands& in,
                            float epsilon, bool relu, int64_t rows, int64_t channels);)
namespace cuda {
void ScaleRows(KernelContext& context, View y, ConstView w, ConstView gain, int64_t rows, int64_t elements);
void ScaleRowsBackward(KernelContext& context, View grad_w, View grad_gain, ConstView w, ConstView gain,
                       ConstView grad_y, int64_t rows, int64_t elements);
void FoldGain(KernelContext& context, View gain, View inverse, ConstView gamma, ConstView variance, float epsilon,
              int64_t channels);
void FoldShift(KernelContext& context, View shift, View slope, ConstView gamma, ConstView beta, ConstView mean,
               ConstView variance, float epsilon, int64_t channels);
void FoldNorm(KernelContext& context, View folded_mean, View deviation, ConstView gamma, ConstView mean,
              ConstView running_variance, float epsilon, int64_t channels);
void UnfoldStatistics(KernelContext& context, const UnfoldedStatistics& out, View running_mean, View running_variance,
                      const UnfoldOperands& in, float momentum, float epsilon, int64_t rows, int64_t channels);
void UnfoldBackward(KernelContext& context, const UnfoldGradients& out, const UnfoldedStatistics& in, ConstView sum,
                    ConstView products, ConstView mean_of_x, int64_t channels);
void UpdateRunning(KernelContext& context, View running_mean, View running_variance, ConstView mean, ConstView variance,
                   float momentum, int64_t rows, int64_t channels);
void FoldedNormBackward(KernelContext& context, const FoldedNormGradients& out, const FoldedNormOperands& in,
                        float epsilon, bool relu, int64_t rows, int64_t channels);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_FOLDED_NORM_KERNELS_H_
