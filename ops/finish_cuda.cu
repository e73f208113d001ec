#include <algorithm>

#include "ops/elementwise/elementwise_math.h"
#include "ops/finish_cuda.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = int64_t{1} << 20;  // then each handles several parts
constexpr int kFinished = 4;                      // values that a thread finishes: 16 bytes of float32

dim3 Blocks(int64_t threads) {
  return dim3(static_cast<unsigned>(std::min((threads + kThreads - 1) / kThreads, kMaxBlocks)));
}

__device__ inline float ToFloat(float value) { return value; }
__device__ inline float ToFloat(Bfloat16 value) { return __uint_as_float(static_cast<unsigned>(value) << 16); }

// ---- kernels ----

__device__ inline float Finished(float value, float before, int64_t channel, const Finish& finish) {
  if (finish.add) value = before + value;
  if (finish.bias != nullptr) value = value + finish.bias[channel];
  return finish.relu ? ReluValue(value, 0.0f) : value;
}

// kCount values at a time; the last thread has what is left over. No __restrict__: `from` may be y.
template <int kCount, class T>
__global__ void FinishKernel(int64_t size, int64_t channels, float* y, const T* from, Finish finish) {
  const int64_t parts = (size + kCount - 1) / kCount;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < parts; i += stride) {
    const int64_t begin = i * kCount;
    int64_t channel = finish.bias == nullptr ? 0 : begin % channels;
    if (begin + kCount > size) {
      for (int64_t k = begin; k < size; ++k) {
        y[k] = Finished(ToFloat(from[k]), finish.add ? y[k] : 0.0f, channel, finish);
        channel = channel + 1 < channels ? channel + 1 : 0;
      }
      continue;
    }
    auto* const target = reinterpret_cast<Pack<float, kCount>*>(y) + i;
    const Pack<T, kCount> source = reinterpret_cast<const Pack<T, kCount>*>(from)[i];
    Pack<float, kCount> result{};
    if (finish.add) result = *target;
    for (int k = 0; k < kCount; ++k) {
      result.value[k] = Finished(ToFloat(source.value[k]), result.value[k], channel, finish);
      channel = channel + 1 < channels ? channel + 1 : 0;
    }
    *target = result;
  }
}

// ---- launchers ----

template <class T>
void LaunchFinish(const Stream& stream, float* y, const T* from, int64_t size, int64_t channels, const Finish& finish) {
  if (size == 0) return;
  if (IsAligned(y, sizeof(Pack<float, kFinished>)) && IsAligned(from, sizeof(Pack<T, kFinished>))) {
    Launch(stream, Blocks((size + kFinished - 1) / kFinished), kThreads, FinishKernel<kFinished, T>, size, channels, y,
           from, finish);
  } else {
    Launch(stream, Blocks(size), kThreads, FinishKernel<1, T>, size, channels, y, from, finish);
  }
}

}  // namespace

void FinishResult(const Stream& stream, float* y, const float* from, int64_t size, int64_t channels,
                  const Finish& finish) {
  LaunchFinish(stream, y, from, size, channels, finish);
}

void FinishResult(const Stream& stream, float* y, const Bfloat16* from, int64_t size, int64_t channels,
                  const Finish& finish) {
  LaunchFinish(stream, y, from, size, channels, finish);
}

}  // namespace cuda
}  // namespace bitgate
