#include <algorithm>
#include <type_traits>

#include "ops/data/gather_images_kernels.h"
#include "ops/data/gather_images_math.h"
#include "runtime/kernel/cuda_launch.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxGrid = 65535;

template <class Raw>
struct Gather {
  const Raw* pixels;
  const int32_t* labels;
  float scale;
  const float* mean;
  const float* std;
  int64_t channels;
  const int32_t* order;  // may be null
  int64_t first;
  int64_t rows, elements;
  float* images;
  int32_t* row_labels;
};

// ---- kernels ----

__device__ float4 LoadFour(const uint8_t* raw) {
  const uchar4 four = *reinterpret_cast<const uchar4*>(raw);
  return make_float4(static_cast<float>(four.x), static_cast<float>(four.y), static_cast<float>(four.z),
                     static_cast<float>(four.w));
}
__device__ float4 LoadFour(const float* raw) { return *reinterpret_cast<const float4*>(raw); }

// The value at `channel`, which is moved to that of the next element.
template <class Raw>
__device__ float Next(const Gather<Raw>& g, float raw, int64_t& channel) {
  const float value = NormalizePixel(raw, g.scale, g.mean[channel], g.std[channel]);
  if (++channel == g.channels) channel = 0;
  return value;
}

// blockIdx.y goes along the rows, blockIdx.x along the elements of one. With kPerThread = 4 every row is aligned for
// accesses of four, and `elements` a multiple of them.
template <class Raw, int kPerThread>
__global__ void GatherImagesKernel(const Gather<Raw> g) {
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kPerThread;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads * kPerThread;
  for (int64_t row = blockIdx.y; row < g.rows; row += gridDim.y) {
    const int64_t source = g.order == nullptr ? g.first + row : g.order[g.first + row];
    const Raw* raw = g.pixels + source * g.elements;
    float* out = g.images + row * g.elements;
    for (int64_t i = begin; i < g.elements; i += stride) {
      int64_t channel = g.channels == 1 ? 0 : i % g.channels;
      if constexpr (kPerThread == 4) {
        float4 four = LoadFour(raw + i);
        four.x = Next(g, four.x, channel);
        four.y = Next(g, four.y, channel);
        four.z = Next(g, four.z, channel);
        four.w = Next(g, four.w, channel);
        *reinterpret_cast<float4*>(out + i) = four;
      } else {
        out[i] = Next(g, static_cast<float>(raw[i]), channel);
      }
    }
    if (begin == 0) g.row_labels[row] = g.labels[source];
  }
}

// ---- launchers ----

bool IsAligned(const void* pointer, size_t bytes) { return reinterpret_cast<size_t>(pointer) % bytes == 0; }

template <class Raw>
void LaunchGather(const Stream& stream, const Gather<Raw>& gather) {
  if (gather.rows == 0) return;
  const bool fours =
      gather.elements % 4 == 0 && IsAligned(gather.pixels, 4 * sizeof(Raw)) && IsAligned(gather.images, 16);
  const int64_t per_block = kThreads * (fours ? 4 : 1);
  // An image without elements has a label all the same.
  const int64_t columns = std::clamp<int64_t>((gather.elements + per_block - 1) / per_block, 1, kMaxGrid);
  const dim3 grid(static_cast<unsigned>(columns), static_cast<unsigned>(std::min(gather.rows, kMaxGrid)));
  Launch(stream, grid, kThreads, fours ? GatherImagesKernel<Raw, 4> : GatherImagesKernel<Raw, 1>, gather);
}

}  // namespace

void GatherImages(KernelContext& context, View images, View labels, const ImageTableViews& table, ConstView order,
                  int64_t first) {
  const auto gather = [&](const auto* pixels) {
    LaunchGather<std::decay_t<decltype(*pixels)>>(
        context.stream,
        {pixels, table.labels.As<int32_t>(), table.scale, table.mean.As(), table.std.As(), table.mean.shape[0],
         order.As<int32_t>(), first, labels.shape[0], table.pixels.shape[1], images.As(), labels.As<int32_t>()});
  };
  if (table.pixels.dtype == DType::kUint8) {
    gather(table.pixels.As<uint8_t>());
  } else {
    gather(table.pixels.As<float>());
  }
}

}  // namespace cuda
}  // namespace bitgate
