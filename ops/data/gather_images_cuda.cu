#include <algorithm>
#include <type_traits>

#include "ops/data/gather_images_kernels.h"
#include "ops/data/gather_images_math.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

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
  ImageAugmentation augmentation;
};

// ---- kernels ----

__device__ float4 LoadFour(const uint8_t* raw) {
  const uchar4 four = *reinterpret_cast<const uchar4*>(raw);
  return make_float4(static_cast<float>(four.x), static_cast<float>(four.y), static_cast<float>(four.z),
                     static_cast<float>(four.w));
}
__device__ float4 LoadFour(const float* raw) { return *reinterpret_cast<const float4*>(raw); }

template <class Raw>
__device__ float LoadAugmented(const Gather<Raw>& g, const ImagePlacement& placement, const Raw* raw, int64_t element) {
  const int64_t from = SourceElement(g.augmentation, placement, element);
  return from < 0 ? 0 : static_cast<float>(raw[from]);
}

template <class Raw>
__device__ float4 LoadAugmentedFour(const Gather<Raw>& g, const ImagePlacement& placement, const Raw* raw, int64_t i) {
  return make_float4(LoadAugmented(g, placement, raw, i), LoadAugmented(g, placement, raw, i + 1),
                     LoadAugmented(g, placement, raw, i + 2), LoadAugmented(g, placement, raw, i + 3));
}

// The value at `channel`, which is moved to that of the next element.
template <class Raw>
__device__ float Next(const Gather<Raw>& g, float raw, int64_t& channel) {
  const float value = NormalizePixel(raw, g.scale, g.mean[channel], g.std[channel]);
  if (++channel == g.channels) channel = 0;
  return value;
}

// blockIdx.y goes along the rows, blockIdx.x along the elements of one. With kPerThread = 4 every row is aligned for
// accesses of four, and `elements` a multiple of them.
template <class Raw, int kPerThread, bool kAugmented>
__global__ void GatherImagesKernel(const Gather<Raw> g) {
  const int64_t begin = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kPerThread;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads * kPerThread;
  for (int64_t row = blockIdx.y; row < g.rows; row += gridDim.y) {
    const int64_t source = g.order == nullptr ? g.first + row : g.order[g.first + row];
    const Raw* raw = g.pixels + source * g.elements;
    float* out = g.images + row * g.elements;
    ImagePlacement placement;
    if constexpr (kAugmented) placement = DrawPlacement(g.augmentation, source);
    for (int64_t i = begin; i < g.elements; i += stride) {
      int64_t channel = g.channels == 1 ? 0 : i % g.channels;
      if constexpr (kPerThread == 4) {
        float4 four;
        if constexpr (kAugmented) {
          four = LoadAugmentedFour(g, placement, raw, i);
        } else {
          four = LoadFour(raw + i);
        }
        four.x = Next(g, four.x, channel);
        four.y = Next(g, four.y, channel);
        four.z = Next(g, four.z, channel);
        four.w = Next(g, four.w, channel);
        *reinterpret_cast<float4*>(out + i) = four;
      } else {
        out[i] = Next(g, kAugmented ? LoadAugmented(g, placement, raw, i) : static_cast<float>(raw[i]), channel);
      }
    }
    if (begin == 0) g.row_labels[row] = g.labels[source];
  }
}

// ---- launchers ----

template <class Raw, bool kAugmented>
void LaunchGather(const Stream& stream, const Gather<Raw>& gather) {
  if (gather.rows == 0) return;
  const bool fours =
      gather.elements % 4 == 0 && IsAligned(gather.pixels, 4 * sizeof(Raw)) && IsAligned(gather.images, 16);
  const int64_t per_block = kThreads * (fours ? 4 : 1);
  // An image without elements has a label all the same.
  const int64_t columns = std::clamp<int64_t>((gather.elements + per_block - 1) / per_block, 1, kMaxGrid);
  const dim3 grid(static_cast<unsigned>(columns), static_cast<unsigned>(std::min(gather.rows, kMaxGrid)));
  Launch(stream, grid, kThreads,
         fours ? GatherImagesKernel<Raw, 4, kAugmented> : GatherImagesKernel<Raw, 1, kAugmented>, gather);
}

}  // namespace

void GatherImages(KernelContext& context, View images, View labels, const ImageTableViews& table, ConstView order,
                  int64_t first, const ImageAugmentation& augmentation) {
  const auto run = [&](const auto* pixels) {
    using Raw = std::decay_t<decltype(*pixels)>;
    const Gather<Raw> gather = {pixels,          table.labels.As<int32_t>(), table.scale,         table.mean.As(),
                                table.std.As(),  table.mean.shape[0],        order.As<int32_t>(), first,
                                labels.shape[0], table.pixels.shape[1],      images.As(),         labels.As<int32_t>(),
                                augmentation};
    if (augmentation.any()) {
      LaunchGather<Raw, true>(context.stream, gather);
    } else {
      LaunchGather<Raw, false>(context.stream, gather);
    }
  };
  if (table.pixels.dtype == DType::kUint8) {
    run(table.pixels.As<uint8_t>());
  } else {
    run(table.pixels.As<float>());
  }
}

}  // namespace cuda
}  // namespace bitgate
