// What batch norm and its folded kinds have in common: their operands' checks and the calls of the kernels. Nothing
// here is recorded.
#ifndef BITGATE_OPS_NORM_NORM_STEPS_H_
#define BITGATE_OPS_NORM_NORM_STEPS_H_

#include "ops/elementwise/activation.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// x [..., channels] as a matrix of a row per place.
struct ChannelMatrix {
  int64_t rows, channels;

  explicit ChannelMatrix(const Shape& shape);
};

// These throw InvalidArgument, naming `op`: unless x is an operand of rank 2 or more with at least one channel; unless
// it has a row; unless momentum is in [0, 1] and epsilon above 0.
ChannelMatrix CheckedMatrix(const Context& context, const char* op, const char* name, const Tensor& x);
void CheckHasRows(const char* op, const ChannelMatrix& size, const char* name, const Tensor& x);
void CheckMomentum(const char* op, float momentum);
void CheckEpsilon(const char* op, float epsilon);

struct Statistics {
  Tensor mean, variance;

  // Of [2, c].
  explicit Statistics(const Tensor& both);
  Statistics(Tensor mean, Tensor variance) : mean(std::move(mean)), variance(std::move(variance)) {}
};

// [2, c]; the running statistics, if there are any, move towards it.
Tensor ComputeStatistics(Context& context, const char* op, const Tensor& x, const Tensor& running_mean,
                         const Tensor& running_variance, float momentum);

// activation(gamma (x - mean) / sqrt(variance + epsilon) + beta)
Tensor Normalised(Context& context, const char* op, const Tensor& x, const Statistics& statistics, const Tensor& gamma,
                  const Tensor& beta, float epsilon, Activation activation);

struct NormGradients {
  Tensor x, gamma, beta;
};

// sum(grad_y (x - mean) / sqrt(variance + epsilon)) and sum(grad_y), as the gradients of gamma and beta.
NormGradients NormSums(Context& context, const char* op, const Tensor& grad_y, const Tensor& x,
                       const Statistics& statistics, float epsilon);

// The gradient of x: through the statistics by these sums, or with constant statistics where they are undefined.
Tensor NormalisedBackwardData(Context& context, const char* op, const Tensor& grad_y, const Tensor& x,
                              const Statistics& statistics, const Tensor& gamma, const NormGradients& sums,
                              float epsilon);

// Both. Given the gradient before the activation. Undefined where not wanted, but where x needs them: through the
// statistics, if they are those of x.
NormGradients NormalisedBackward(Context& context, const char* op, const Tensor& grad_y, const Tensor& x,
                                 const Statistics& statistics, const Tensor& gamma, float epsilon, bool own_statistics,
                                 bool wants_x, bool wants_others);

}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_NORM_STEPS_H_
