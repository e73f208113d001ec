#include <algorithm>

#include "ops/conv/conv_steps_cuda.h"
#include "ops/elementwise/elementwise_math.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = int64_t{1} << 20;  // then each handles several parts
constexpr int kRounded = 8;                       // values that a thread rounds: 16 bytes of bfloat16
constexpr int kFinished = 4;                      // values that a thread finishes: 16 bytes of float32

dim3 Blocks(int64_t threads) {
  return dim3(static_cast<unsigned>(std::min((threads + kThreads - 1) / kThreads, kMaxBlocks)));
}

__device__ inline Bfloat16 Rounded(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<Bfloat16>(bits >> 16 | 0x40u);  // a quiet NaN
  return static_cast<Bfloat16>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ inline float ToFloat(float value) { return value; }
__device__ inline float ToFloat(Bfloat16 value) { return __uint_as_float(static_cast<unsigned>(value) << 16); }

// ---- kernels ----

__device__ inline void RoundPart(const Rounding& array, int64_t part) {
  const int64_t begin = part * kRounded;
  const float* const from = array.from + begin;
  Bfloat16* const to = array.to + begin;
  if (begin + kRounded <= array.size && IsAligned(array.from, sizeof(Pack<float, 4>))) {
    const auto* const halves = reinterpret_cast<const Pack<float, 4>*>(from);
    const Pack<float, 4> low = halves[0], high = halves[1];
    Pack<Bfloat16, kRounded> rounded;
    for (int k = 0; k < 4; ++k) {
      rounded.value[k] = Rounded(low.value[k]);
      rounded.value[k + 4] = Rounded(high.value[k]);
    }
    *reinterpret_cast<Pack<Bfloat16, kRounded>*>(to) = rounded;
  } else {
    for (int k = 0; k < kRounded && begin + k < array.size; ++k) to[k] = Rounded(from[k]);
  }
}

__global__ void RoundKernel(Rounding a, Rounding b) {
  const int64_t parts_of_a = (a.size + kRounded - 1) / kRounded;
  const int64_t parts = parts_of_a + (b.size + kRounded - 1) / kRounded;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < parts; i += stride) {
    if (i < parts_of_a) {
      RoundPart(a, i);
    } else {
      RoundPart(b, i - parts_of_a);
    }
  }
}

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

void RoundToBfloat16(const Stream& stream, const Rounding& a, const Rounding& b) {
  const int64_t parts = (a.size + kRounded - 1) / kRounded + (b.size + kRounded - 1) / kRounded;
  if (parts > 0) Launch(stream, Blocks(parts), kThreads, RoundKernel, a, b);
}

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
