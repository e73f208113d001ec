#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "runtime/kernel/cuda_map.h"

namespace bitgate {
namespace cuda {
namespace {

struct ReluOp {
  __device__ float operator()(int64_t, float x) const { return ReluValue(x, 0.0f); }
};

struct ReluBackwardOp {
  __device__ float operator()(int64_t, float y, float grad_y) const { return ReluSlopeTimes(y, grad_y, 0.0f); }
};

struct MulOp {
  __device__ float operator()(int64_t, float a, float b) const { return Product(a, b); }
};

struct ScaleOp {
  float factor;
  __device__ float operator()(int64_t, float x) const { return Product(factor, x); }
};

}  // namespace

void Relu(KernelContext& context, View y, ConstView x, int64_t size) {
  LaunchMap(context.stream, size, ReluOp{}, y.As(), x.As());
}

void ReluBackward(KernelContext& context, View grad_x, ConstView y, ConstView grad_y, int64_t size) {
  LaunchMap(context.stream, size, ReluBackwardOp{}, grad_x.As(), y.As(), grad_y.As());
}

void Mul(KernelContext& context, View y, ConstView a, ConstView b, int64_t size) {
  LaunchMap(context.stream, size, MulOp{}, y.As(), a.As(), b.As());
}

void Scale(KernelContext& context, View y, ConstView x, float factor, int64_t size) {
  LaunchMap(context.stream, size, ScaleOp{factor}, y.As(), x.As());
}

}  // namespace cuda
}  // namespace bitgate
