#include <algorithm>

#include "ops/conv/conv_steps_cuda.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxBlocks = int64_t{1} << 20;  // then each handles several parts
constexpr int kRounded = 8;                       // values that a thread rounds: 16 bytes of bfloat16

dim3 Blocks(int64_t threads) {
  return dim3(static_cast<unsigned>(std::min((threads + kThreads - 1) / kThreads, kMaxBlocks)));
}

__device__ inline Bfloat16 Rounded(float value) {
  const unsigned bits = __float_as_uint(value);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<Bfloat16>(bits >> 16 | 0x40u);  // a quiet NaN
  return static_cast<Bfloat16>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

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

}  // namespace

// ---- launchers ----

void RoundToBfloat16(const Stream& stream, const Rounding& a, const Rounding& b) {
  const int64_t parts = (a.size + kRounded - 1) / kRounded + (b.size + kRounded - 1) / kRounded;
  if (parts > 0) Launch(stream, Blocks(parts), kThreads, RoundKernel, a, b);
}

}  // namespace cuda
}  // namespace bitgate
