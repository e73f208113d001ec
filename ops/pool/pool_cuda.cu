#include <math.h>

#include <algorithm>
#include <type_traits>

#include "ops/pool/pool_kernels.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kVector = 4;  // channels that a thread handles at once where it can

// What the kernels know of the windows: anything, or that they halve an image, every element in one window at most.
struct AnyWindow {
  static constexpr bool kPadded = true;
  int64_t kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w;
};
struct HalvingWindow {
  static constexpr bool kPadded = false;
  static constexpr int64_t kernel_h = 2, kernel_w = 2, stride_h = 2, stride_w = 2, padding_h = 0, padding_w = 0;
};

// x [images, h, w, channels] and y [images, p, q, channels], channels counted in packs.
struct Sizes {
  int64_t images, h, w, p, q, channels;
};

struct Range {
  int64_t begin, end;
};

// Of a window that begins at `start`, the elements that are in the image and not in its padding.
template <bool kPadded>
__device__ Range ElementsInside(int64_t start, int64_t kernel, int64_t size) {
  if (!kPadded) return {0, kernel};
  return {start < 0 ? -start : 0, start + kernel > size ? size - start : kernel};
}

// The windows, of `places`, that have element `at`.
__device__ inline Range WindowsOver(int64_t at, int64_t kernel, int64_t stride, int64_t padding, int64_t places) {
  const auto step = static_cast<uint64_t>(stride);
  const int64_t past = at + padding - kernel + 1;  // where the first window that reaches `at` may begin
  const auto begin = static_cast<int64_t>(past <= 0 ? 0 : (static_cast<uint64_t>(past) + step - 1) / step);
  const auto end = static_cast<int64_t>(static_cast<uint64_t>(at + padding) / step) + 1;
  return {begin, end < places ? end : places};
}

// ---- kernels ----
//
// A block handles part of one row of images (blockIdx.x, then grid-stride), a thread a pack of channels of one element.

template <PoolKind kKind, int kCount, class Index, class Window>
__global__ void ForwardKernel(Sizes sizes, Window window, Pack<float, kCount>* y, Pack<Index, kCount>* index,
                              const Pack<float, kCount>* x) {
  const int64_t items = sizes.q * sizes.channels;
  for (int64_t row = blockIdx.x; row < sizes.images * sizes.p; row += gridDim.x) {
    const int64_t image = row / sizes.p, top = (row - image * sizes.p) * window.stride_h - window.padding_h;
    const Range rows = ElementsInside<Window::kPadded>(top, window.kernel_h, sizes.h);
    for (int64_t i = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; i < items;
         i += static_cast<int64_t>(gridDim.y) * blockDim.x) {
      const int64_t place = i / sizes.channels, channel = i - place * sizes.channels;
      const int64_t left = place * window.stride_w - window.padding_w;
      const Range columns = ElementsInside<Window::kPadded>(left, window.kernel_w, sizes.w);
      const Pack<float, kCount>* const corner =
          x + ((image * sizes.h + top) * sizes.w + left) * sizes.channels + channel;
      Pack<float, kCount> result;
      Pack<Index, kCount> largest;
      for (int k = 0; k < kCount; ++k) {
        result.value[k] = kKind == PoolKind::kMax ? -INFINITY : 0.0f;
        largest.value[k] = static_cast<Index>(rows.begin * window.kernel_w + columns.begin);
      }
      for (int64_t r = rows.begin; r < rows.end; ++r) {
        for (int64_t s = columns.begin; s < columns.end; ++s) {
          const Pack<float, kCount> element = corner[(r * sizes.w + s) * sizes.channels];
          for (int k = 0; k < kCount; ++k) {
            if (kKind == PoolKind::kAverage) {
              result.value[k] += element.value[k];
            } else if (element.value[k] > result.value[k]) {
              result.value[k] = element.value[k];
              largest.value[k] = static_cast<Index>(r * window.kernel_w + s);
            }
          }
        }
      }
      if (kKind == PoolKind::kAverage) {
        const auto count = static_cast<float>((rows.end - rows.begin) * (columns.end - columns.begin));
        for (int k = 0; k < kCount; ++k) result.value[k] /= count;
      }
      y[row * items + i] = result;
      if (kKind == PoolKind::kMax && index != nullptr) index[row * items + i] = largest;
    }
  }
}

// Every element of grad_x gathers from the windows that it is in, in their order.
template <PoolKind kKind, int kCount, class Index, class Window>
__global__ void BackwardKernel(Sizes sizes, Window window, Pack<float, kCount>* grad_x,
                               const Pack<Index, kCount>* index, const Pack<float, kCount>* grad_y) {
  const int64_t items = sizes.w * sizes.channels;
  for (int64_t row = blockIdx.x; row < sizes.images * sizes.h; row += gridDim.x) {
    const int64_t image = row / sizes.h, y = row - image * sizes.h;
    const Range rows = WindowsOver(y, window.kernel_h, window.stride_h, window.padding_h, sizes.p);
    for (int64_t i = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; i < items;
         i += static_cast<int64_t>(gridDim.y) * blockDim.x) {
      const int64_t x = i / sizes.channels, channel = i - x * sizes.channels;
      const Range columns = WindowsOver(x, window.kernel_w, window.stride_w, window.padding_w, sizes.q);
      Pack<float, kCount> sum{};
      for (int64_t p = rows.begin; p < rows.end; ++p) {
        const int64_t top = p * window.stride_h - window.padding_h;
        for (int64_t q = columns.begin; q < columns.end; ++q) {
          const int64_t left = q * window.stride_w - window.padding_w;
          const int64_t from = ((image * sizes.p + p) * sizes.q + q) * sizes.channels + channel;
          const Pack<float, kCount> grad = grad_y[from];
          if (kKind == PoolKind::kMax) {
            const Pack<Index, kCount> largest = index[from];
            const auto mine = static_cast<Index>((y - top) * window.kernel_w + x - left);
            for (int k = 0; k < kCount; ++k) sum.value[k] += largest.value[k] == mine ? grad.value[k] : 0.0f;
          } else {
            const Range r = ElementsInside<Window::kPadded>(top, window.kernel_h, sizes.h);
            const Range s = ElementsInside<Window::kPadded>(left, window.kernel_w, sizes.w);
            const auto count = static_cast<float>((r.end - r.begin) * (s.end - s.begin));
            for (int k = 0; k < kCount; ++k) sum.value[k] += grad.value[k] / count;
          }
        }
      }
      grad_x[row * items + i] = sum;
    }
  }
}

// ---- launchers ----

template <int kCount>
Sizes SizesOf(const Shape& x, const Shape& y) {
  return {x[0], x[1], x[2], y[1], y[2], x[3] / kCount};
}

// Blocks of as many threads as a row has items, or kThreads and as many blocks as that takes.
struct Grid {
  dim3 blocks;
  int threads;

  Grid(int64_t rows, int64_t items) : threads(static_cast<int>(std::min<int64_t>((items + 31) / 32 * 32, kThreads))) {
    blocks = dim3(static_cast<unsigned>(std::min<int64_t>(rows, 0x7fffffff)),
                  static_cast<unsigned>(std::min<int64_t>((items + threads - 1) / threads, 65535)));
  }
};

bool CanPack(const Shape& shape, const void* a, const void* b, const void* index, DType index_dtype) {
  return shape[3] % kVector == 0 && IsAligned(a, sizeof(Pack<float, kVector>)) &&
         IsAligned(b, sizeof(Pack<float, kVector>)) && IsAligned(index, kVector * SizeOf(index_dtype));
}

bool Halves(const Pool2dParams& p) {
  return p.kernel[0] == 2 && p.kernel[1] == 2 && p.stride[0] == 2 && p.stride[1] == 2 && p.padding[0] == 0 &&
         p.padding[1] == 0;
}

AnyWindow WindowOf(const Pool2dParams& p) {
  return {p.kernel[0], p.kernel[1], p.stride[0], p.stride[1], p.padding[0], p.padding[1]};
}

template <int kValue>
using Count = std::integral_constant<int, kValue>;

// Calls launch(kind, count, index type's zero, window) with the constants that fit this pooling.
template <class LaunchIt>
void Choose(PoolKind kind, bool packed, const Pool2dParams& params, const LaunchIt& launch) {
  using Max = std::integral_constant<PoolKind, PoolKind::kMax>;
  using Average = std::integral_constant<PoolKind, PoolKind::kAverage>;
  const auto with_count = [&](auto count) {
    if (kind == PoolKind::kAverage) {
      if (Halves(params)) return launch(Average(), count, uint8_t{}, HalvingWindow());
      return launch(Average(), count, uint8_t{}, WindowOf(params));
    }
    if (Halves(params)) return launch(Max(), count, uint8_t{}, HalvingWindow());
    if (MaxPoolIndexDType(params) == DType::kUint8) return launch(Max(), count, uint8_t{}, WindowOf(params));
    return launch(Max(), count, int32_t{}, WindowOf(params));
  };
  if (packed) return with_count(Count<kVector>());
  return with_count(Count<1>());
}

}  // namespace

void Pool2dForward(KernelContext& context, PoolKind kind, View y, View index, ConstView x, const Pool2dParams& params) {
  const bool packed = CanPack(x.shape, x.data, y.data, index.data, index.dtype);
  Choose(kind, packed, params, [&](auto kind, auto count, auto zero, auto window) {
    constexpr int kCount = decltype(count)::value;
    using Floats = Pack<float, kCount>;
    using Indices = Pack<decltype(zero), kCount>;
    const Sizes sizes = SizesOf<kCount>(x.shape, y.shape);
    const Grid grid(sizes.images * sizes.p, sizes.q * sizes.channels);
    Launch(context.stream, grid.blocks, grid.threads,
           ForwardKernel<decltype(kind)::value, kCount, decltype(zero), decltype(window)>, sizes, window,
           y.As<Floats>(), index.As<Indices>(), x.As<Floats>());
  });
}

void Pool2dBackward(KernelContext& context, PoolKind kind, View grad_x, ConstView index, ConstView grad_y,
                    const Pool2dParams& params) {
  const bool packed = CanPack(grad_x.shape, grad_x.data, grad_y.data, index.data, index.dtype);
  Choose(kind, packed, params, [&](auto kind, auto count, auto zero, auto window) {
    constexpr int kCount = decltype(count)::value;
    using Floats = Pack<float, kCount>;
    using Indices = Pack<decltype(zero), kCount>;
    const Sizes sizes = SizesOf<kCount>(grad_x.shape, grad_y.shape);
    const Grid grid(sizes.images * sizes.h, sizes.w * sizes.channels);
    Launch(context.stream, grid.blocks, grid.threads,
           BackwardKernel<decltype(kind)::value, kCount, decltype(zero), decltype(window)>, sizes, window,
           grad_x.As<Floats>(), index.As<Indices>(), grad_y.As<Floats>());
  });
}

}  // namespace cuda
}  // namespace bitgate
