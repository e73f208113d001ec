#include <algorithm>

#include "ops/conv/conv_kernels.h"
#include "runtime/kernel/cuda_launch.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kMaxBlocks = int64_t{1} << 20;  // then each handles several elements

// x [n, h, w, c], weights [o, kernel_h, kernel_w, group_inputs], y [n, p, q, o].
struct Sizes {
  int64_t n, h, w, c, p, q, o, kernel_h, kernel_w, group_inputs, group_outputs;
  int64_t stride_h, stride_w, padding_h, padding_w;
};

struct Element {
  int64_t image, row, column, channel;
};

__device__ inline Element At(int64_t i, int64_t rows, int64_t columns, int64_t channels) {
  const int64_t pixel = i / channels, line = pixel / columns;
  return {line / rows, line % rows, pixel % columns, i % channels};
}

// ---- kernels ----

__global__ void ForwardKernel(Sizes d, float* y, const float* x, const float* w) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < d.n * d.p * d.q * d.o;
       i += stride) {
    const Element out = At(i, d.p, d.q, d.o);
    const int64_t first_input = out.channel / d.group_outputs * d.group_inputs;
    float sum = 0;
    for (int64_t r = 0; r < d.kernel_h; ++r) {
      for (int64_t s = 0; s < d.kernel_w; ++s) {
        const int64_t row = out.row * d.stride_h - d.padding_h + r;
        const int64_t column = out.column * d.stride_w - d.padding_w + s;
        if (row < 0 || row >= d.h || column < 0 || column >= d.w) continue;
        const float* const inputs = x + ((out.image * d.h + row) * d.w + column) * d.c + first_input;
        const float* const weights = w + ((out.channel * d.kernel_h + r) * d.kernel_w + s) * d.group_inputs;
        for (int64_t c = 0; c < d.group_inputs; ++c) sum += inputs[c] * weights[c];
      }
    }
    y[i] = sum;
  }
}

__global__ void DataKernel(Sizes d, float* grad_x, const float* grad_y, const float* w) {
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < d.n * d.h * d.w * d.c;
       i += stride) {
    const Element in = At(i, d.h, d.w, d.c);
    const int64_t group = in.channel / d.group_inputs, input = in.channel % d.group_inputs;
    float sum = 0;
    for (int64_t r = 0; r < d.kernel_h; ++r) {
      for (int64_t s = 0; s < d.kernel_w; ++s) {
        const int64_t top = in.row + d.padding_h - r, left = in.column + d.padding_w - s;
        if (top < 0 || left < 0 || top % d.stride_h != 0 || left % d.stride_w != 0) continue;
        const int64_t p = top / d.stride_h, q = left / d.stride_w;
        if (p >= d.p || q >= d.q) continue;
        const float* const grads = grad_y + ((in.image * d.p + p) * d.q + q) * d.o;
        for (int64_t o = group * d.group_outputs; o < (group + 1) * d.group_outputs; ++o) {
          sum += grads[o] * w[((o * d.kernel_h + r) * d.kernel_w + s) * d.group_inputs + input];
        }
      }
    }
    grad_x[i] = sum;
  }
}

// A block per weight: each thread sums every kThreads-th position, and the sums are added in a fixed order.
__global__ void WeightsKernel(Sizes d, float* grad_w, const float* grad_y, const float* x) {
  __shared__ float sums[kThreads];
  for (int64_t i = blockIdx.x; i < d.o * d.kernel_h * d.kernel_w * d.group_inputs; i += gridDim.x) {
    const Element at = At(i, d.kernel_h, d.kernel_w, d.group_inputs);  // its "image" is the output channel
    const int64_t channel = at.image / d.group_outputs * d.group_inputs + at.channel;
    float sum = 0;
    for (int64_t k = threadIdx.x; k < d.n * d.p * d.q; k += kThreads) {
      const Element out = At(k, d.p, d.q, 1);
      const int64_t row = out.row * d.stride_h - d.padding_h + at.row;
      const int64_t column = out.column * d.stride_w - d.padding_w + at.column;
      if (row < 0 || row >= d.h || column < 0 || column >= d.w) continue;
      sum += grad_y[k * d.o + at.image] * x[((out.image * d.h + row) * d.w + column) * d.c + channel];
    }
    sums[threadIdx.x] = sum;
    __syncthreads();
    for (int half = kThreads / 2; half > 0; half /= 2) {
      if (static_cast<int>(threadIdx.x) < half) sums[threadIdx.x] += sums[threadIdx.x + half];
      __syncthreads();
    }
    if (threadIdx.x == 0) grad_w[i] = sums[0];
    __syncthreads();
  }
}

// ---- launchers ----

Sizes SizesOf(const Shape& x, const Shape& y, const Shape& w, const Conv2dParams& params) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          y[1],
          y[2],
          y[3],
          w[1],
          w[2],
          w[3],
          w[0] / params.groups,
          params.stride[0],
          params.stride[1],
          params.padding[0],
          params.padding[1]};
}

dim3 Blocks(int64_t count) { return dim3(static_cast<unsigned>(std::min(count, kMaxBlocks))); }

int64_t BlocksFor(int64_t threads) { return (threads + kThreads - 1) / kThreads; }

}  // namespace

void Conv2dForwardDirect(KernelContext& context, View y, ConstView x, ConstView w, const Conv2dParams& params) {
  Launch(context.stream, Blocks(BlocksFor(y.shape.size())), kThreads, ForwardKernel,
         SizesOf(x.shape, y.shape, w.shape, params), y.As(), x.As(), w.As());
}

void Conv2dBackwardDataDirect(KernelContext& context, View grad_x, ConstView grad_y, ConstView w,
                              const Conv2dParams& params) {
  Launch(context.stream, Blocks(BlocksFor(grad_x.shape.size())), kThreads, DataKernel,
         SizesOf(grad_x.shape, grad_y.shape, w.shape, params), grad_x.As(), grad_y.As(), w.As());
}

void Conv2dBackwardWeightsDirect(KernelContext& context, View grad_w, ConstView grad_y, ConstView x,
                                 const Conv2dParams& params) {
  Launch(context.stream, Blocks(grad_w.shape.size()), kThreads, WeightsKernel,
         SizesOf(x.shape, grad_y.shape, grad_w.shape, params), grad_w.As(), grad_y.As(), x.As());
}

}  // namespace cuda
}  // namespace bitgate
