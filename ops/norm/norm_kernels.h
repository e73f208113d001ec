// Kernels of batch normalisation. Views are contiguous float32; x, y and their gradients [rows, channels], all others
// one value a channel; rows and channels are at least 1 (the op checks). Outputs overlap no operand.
#ifndef BITGATE_OPS_NORM_NORM_KERNELS_H_
#define BITGATE_OPS_NORM_NORM_KERNELS_H_

#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

BG_PER_ISA(
    // The running statistics, both or neither, are moved towards those of x where these are finite.
    void ChannelStatistics(KernelContext& context, View mean, View variance, View running_mean, View running_variance,
                           ConstView x, float momentum, int64_t rows, int64_t channels);
    void ChannelStatisticsBackward(KernelContext& context, View grad_x, ConstView grad_mean, ConstView grad_variance,
                                   ConstView x, ConstView mean, int64_t rows, int64_t channels);
    void BatchNormForward(KernelContext& context, View y, ConstView x, ConstView mean, ConstView variance,
                          ConstView gamma, ConstView beta, float epsilon, bool relu, int64_t rows, int64_t channels);
    // grad_y is that before the activation, here and below.
    void BatchNormBackwardChannels(KernelContext& context, View grad_gamma, View grad_beta, ConstView grad_y,
                                   ConstView x, ConstView mean, ConstView variance, float epsilon, int64_t rows,
                                   int64_t channels);
    // Through mean and variance as those of x; with no grad_gamma and grad_beta, as constants.
    void BatchNormBackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView x, ConstView mean,
                               ConstView variance, ConstView gamma, ConstView grad_gamma, ConstView grad_beta,
                               float epsilon, int64_t rows, int64_t channels);)
namespace cuda {
void ChannelStatistics(KernelContext& context, View mean, View variance, View running_mean, View running_variance,
                       ConstView x, float momentum, int64_t rows, int64_t channels);
void ChannelStatisticsBackward(KernelContext& context, View grad_x, ConstView grad_mean, ConstView grad_variance,
                               ConstView x, ConstView mean, int64_t rows, int64_t channels);
void BatchNormForward(KernelContext& context, View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma,
                      ConstView beta, float epsilon, bool relu, int64_t rows, int64_t channels);
void BatchNormBackwardChannels(KernelContext& context, View grad_gamma, View grad_beta, ConstView grad_y, ConstView x,
                               ConstView mean, ConstView variance, float epsilon, int64_t rows, int64_t channels);
void BatchNormBackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView x, ConstView mean,
                           ConstView variance, ConstView gamma, ConstView grad_gamma, ConstView grad_beta,
                           float epsilon, int64_t rows, int64_t channels);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_NORM_KERNELS_H_
