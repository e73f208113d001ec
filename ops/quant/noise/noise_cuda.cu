#include "ops/quant/noise/noise_kernels.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;

// ---- kernels ----

// One Philox block a thread, and its four values.
__global__ void UniformNoiseKernel(int64_t size, float* y, RandomKey key, const int32_t* words) {
  const int64_t begin = 4 * (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x);
  if (begin >= size) return;
  if (words != nullptr) key = KeyFromWords(words, key.stream);
  const PhiloxBlock block = Philox(key, static_cast<uint32_t>(begin >> 2));
  float value[4];
  BG_UNROLL
  for (int k = 0; k < 4; ++k) value[k] = UnitInterval(block.word[k]);
  if (IsAligned(y, sizeof(float4)) && begin + 4 <= size) {
    *reinterpret_cast<float4*>(y + begin) = make_float4(value[0], value[1], value[2], value[3]);
    return;
  }
  BG_UNROLL
  for (int k = 0; k < 4; ++k) {
    if (begin + k < size) y[begin + k] = value[k];
  }
}

}  // namespace

// ---- launchers ----

void UniformNoise(KernelContext& context, View y, const RandomKey& key, ConstView words) {
  const int64_t size = y.shape.size();
  if (size == 0) return;
  const int64_t blocks = (size + 4 * kThreads - 1) / (4 * kThreads);
  Launch(context.stream, dim3(static_cast<unsigned>(blocks)), kThreads, UniformNoiseKernel, size, y.As(), key,
         words.As<int32_t>());
}

}  // namespace cuda
}  // namespace bitgate
