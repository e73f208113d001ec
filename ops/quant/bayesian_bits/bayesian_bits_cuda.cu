#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "runtime/kernel/cuda_map.h"

namespace bitgate {
namespace cuda {
namespace {

struct Same {
  __device__ float operator()(float value) const { return value; }
};

// Range, gates and channel gates are read on the device, so that a captured step sees their current values.
struct Parameters {
  const float* range;
  const float* gates;
  const float* channel_gates;
  bool is_signed;

  __device__ BayesianBitsElement<float> Element(int64_t row) const {
    const auto scales = MakeBayesianBitsScales(*range, is_signed);
    return MakeBayesianBitsElement<float>(scales, gates, channel_gates == nullptr ? 1.0f : channel_gates[row], Same());
  }
};

struct ForwardOp {
  Parameters parameters;
  int64_t elements;
  __device__ float operator()(int64_t i, float x) const {
    return bitgate::BayesianBitsForward<kBayesianBitsLevels>(x, parameters.Element(i / elements));
  }
};

struct BackwardOp {
  Parameters parameters;
  __device__ float operator()(int64_t row, float* sums, float x, float grad) const {
    return bitgate::BayesianBitsBackward<kBayesianBitsLevels>(x, grad, parameters.Element(row),
                                                              parameters.is_signed ? 1.0f : 0.0f, sums);
  }
};

constexpr int kSums = kBayesianBitsSums<kBayesianBitsLevels>;

// ---- kernels ----

// Adds the partial sums in a fixed order: one thread per row for the channels, then thread 0 for the parameters.
__global__ void FinishKernel(int64_t rows, int64_t blocks_per_row, const float* partial, Parameters parameters,
                             float* grad_range, float* grad_gates, float* grad_channels) {
  if (grad_channels != nullptr) {
    for (int64_t row = threadIdx.x; row < rows; row += blockDim.x) {
      double sum = 0;
      for (int64_t b = 0; b < blocks_per_row; ++b) sum += partial[(row * blocks_per_row + b) * kSums + kSumChannel];
      grad_channels[row] = static_cast<float>(sum);
    }
  }
  __shared__ double totals[kSums];
  if (threadIdx.x < kSums) {
    double sum = 0;
    for (int64_t b = 0; b < rows * blocks_per_row; ++b) sum += partial[b * kSums + threadIdx.x];
    totals[threadIdx.x] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    const auto grad =
        FinishBayesianBitsGrad(totals, ActiveLevels(parameters.gates), *parameters.range, parameters.gates);
    *grad_range = static_cast<float>(grad.range);
    for (int k = 0; k < kBayesianBitsGates; ++k) grad_gates[k] = static_cast<float>(grad.gate[k]);
  }
}

// ---- launchers ----

Parameters MakeParameters(const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  return {in.range.As(), in.gates.As(), in.channel_gates.As(), layout.is_signed};
}

}  // namespace

void BayesianBitsForward(KernelContext& context, View y, const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  const ForwardOp op{MakeParameters(in, layout), layout.elements};
  LaunchMap(context.stream, layout.rows * layout.elements, op, y.As(), in.x.As());
}

void BayesianBitsBackward(KernelContext& context, const BayesianBitsGradViews& grad_in, ConstView grad_y,
                          const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  const int64_t blocks = ReduceBlocksPerRow(layout.elements);
  const size_t bytes = static_cast<size_t>(layout.rows * blocks * kSums) * sizeof(float);
  float* partial = static_cast<float*>(context.workspace.Get(bytes));
  const Parameters parameters = MakeParameters(in, layout);
  LaunchMapReduce<kSums>(context.stream, layout.rows, layout.elements, BackwardOp{parameters}, partial, grad_in.x.As(),
                         in.x.As(), grad_y.As());
  FinishKernel<<<1, kMapThreads, 0, CudaStream(context.stream)>>>(
      layout.rows, blocks, partial, parameters, grad_in.range.As(), grad_in.gates.As(), grad_in.channel_gates.As());
  BG_CHECK_CUDA(cudaGetLastError());
}

}  // namespace cuda
}  // namespace bitgate
