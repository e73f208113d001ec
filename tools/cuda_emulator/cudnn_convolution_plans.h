// Which convolutions cuDNN takes, and the algorithms that it offers for them.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_CONVOLUTION_PLANS_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_CONVOLUTION_PLANS_H_

#include <cstddef>
#include <vector>

#include "tools/cuda_emulator/cudnn_convolution_math.h"
#include "tools/cuda_emulator/cudnn_descriptors.h"

namespace cuda_emulator {

struct Convolution {
  View x, w, y;
  ConvolutionShape shape;
  cudnnMathType_t math = CUDNN_DEFAULT_MATH;
  // Whether inputs go through matrix units, which round float32 to TF32. Only CUDNN_FMA_MATH forbids it.
  bool rounds_inputs() const { return math != CUDNN_FMA_MATH && x.format == Format::kFloat32; }
};

// The sizes of y that x, w and the descriptor give. False when they do not fit together.
bool OutputShape(const View& x, const View& w, const cudnnConvolutionStruct& descriptor, ConvolutionShape* shape);

// CUDNN_STATUS_SUCCESS, or why cuDNN would refuse.
cudnnStatus_t Describe(const cudnnTensorStruct* x, const cudnnFilterStruct* w, const cudnnConvolutionStruct* descriptor,
                       const cudnnTensorStruct* y, Convolution* convolution);

enum class Direction { kForward, kBackwardData, kBackwardFilter };

struct Plan {
  int algorithm;
  cudnnStatus_t status;
  size_t workspace;
  cudnnDeterminism_t determinism;
  cudnnMathType_t math;
};

// What the heuristics offer, fastest first; and the fastest are not deterministic, or compute in other numbers than the
// descriptor says, or want more memory than there is.
std::vector<Plan> Plans(Direction direction, const Convolution& convolution);

// How the algorithm runs. False when it cannot.
bool PlanOf(Direction direction, const Convolution& convolution, int algorithm, Plan* plan);

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_CUDNN_CONVOLUTION_PLANS_H_
