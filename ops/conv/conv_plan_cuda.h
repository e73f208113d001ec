// One of a convolution's three computations, prepared: cuDNN's descriptors, and the algorithms that may run it.
#ifndef BITGATE_OPS_CONV_CONV_PLAN_CUDA_H_
#define BITGATE_OPS_CONV_CONV_PLAN_CUDA_H_

#include <cstddef>
#include <vector>

#include "ops/conv/conv.h"
#include "runtime/device/compute.h"
#include "runtime/device/cuda_library.h"
#include "runtime/device/cudnn.h"

namespace bitgate {
namespace cuda {

enum class Direction : int { kForward = 0, kBackwardData = 1, kBackwardWeights = 2 };

// Shapes as in conv.h; y's is also that of its gradient, and so on.
struct ConvProblem {
  Direction direction;
  Compute compute;
  Shape x, w, y;
  Conv2dParams params;
};

class ConvPlan {
 public:
  ConvPlan(const Cudnn& cudnn, const ConvProblem& problem);

  // Whether cuDNN has refused all there is.
  bool exhausted() const { return current_ == attempts_.size(); }
  // What the next Run needs.
  size_t workspace_bytes() const { return attempts_[current_].workspace_bytes; }

  // result = convolution(first, second) + beta * result. The operands are x, w for the forward, grad_y, w for the data,
  // grad_y, x for the weights, of bfloat16 if that is the compute, at multiples of 16 bytes. False, with nothing
  // queued, when cuDNN refuses the algorithm in spite of what it said: it is not tried again, another may be.
  bool Run(const Cudnn& cudnn, const void* first, const void* second, void* result, float beta, void* workspace);

 private:
  struct Attempt {
    int algorithm;
    cudnnMathType_t math;
    size_t workspace_bytes;
  };
  struct Forward;
  struct BackwardData;
  struct BackwardWeights;

  template <class T>
  using Descriptor = Owned<T, cudnnStatus_t>;

  void MakeDescriptors(const ConvProblem& problem);
  template <class Kind>
  void FindAlgorithms(cudnnHandle_t handle, Compute compute);

  const CudnnFunctions& api_;
  Direction direction_;
  Descriptor<cudnnTensorDescriptor_t> x_, y_;
  Descriptor<cudnnFilterDescriptor_t> w_;
  Descriptor<cudnnConvolutionDescriptor_t> convolution_;
  std::vector<Attempt> attempts_;  // the best first
  size_t current_ = 0;
};

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_OPS_CONV_CONV_PLAN_CUDA_H_
