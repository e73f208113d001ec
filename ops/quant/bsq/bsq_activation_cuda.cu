#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_math.h"
#include "runtime/kernel/cuda_map.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = kMapThreads;
constexpr int kWarps = kThreads / kWarp;

// ---- on the device ----

__device__ float Bound(const float* alpha) { return alpha == nullptr ? kBsqRelu6 : *alpha; }

struct Larger {
  __device__ float operator()(float a, float b) const { return Max(a, b); }
};

// ---- kernels ----

// NaNs never enter `most`: Max drops one in its second argument.
__global__ void __launch_bounds__(kThreads)
    LargestKernel(Segments s, const float* x, bool aligned, const float* alpha, float* partial, float* largest) {
  float most = 0;
  if (blockIdx.x < s.count) {
    const Segment segment = SegmentOf(s, blockIdx.x);
    const float* base = x + segment.base;
    constexpr int kAtOnce = 4, kStep = 4 * kThreads;
    int i = 4 * static_cast<int>(threadIdx.x);
    if (aligned) {
      for (; i + (kAtOnce - 1) * kStep + 4 <= segment.end; i += kAtOnce * kStep) {
        float4 loaded[kAtOnce];
        BG_UNROLL
        for (int u = 0; u < kAtOnce; ++u) loaded[u] = *reinterpret_cast<const float4*>(base + i + u * kStep);
        BG_UNROLL
        for (int u = 0; u < kAtOnce; ++u) {
          most = Max(Max(Max(Max(most, loaded[u].x), loaded[u].y), loaded[u].z), loaded[u].w);
        }
      }
    }
    for (; i < segment.end; i += kStep) {
      for (int j = i; j < i + 4 && j < segment.end; ++j) most = Max(most, base[j]);
    }
  }
  most = CombineWarps<kWarps>(most, Larger());
  if (threadIdx.x == 0) partial[blockIdx.x] = most;
  if (!LastBlock(Counters(), gridDim.x)) return;
  most = 0;
  for (unsigned b = threadIdx.x; b < gridDim.x; b += kThreads) most = Max(most, partial[b]);
  most = CombineWarps<kWarps>(most, Larger());
  if (threadIdx.x == 0) *largest = Clamp(most, 0.0f, Bound(alpha));
}

struct ForwardOp {
  const float* alpha;
  const float* largest;
  int bits;

  struct Prepared {
    BsqActivationElement<float> element;
    __device__ auto Row(int64_t) const {
      return [p = element](float x) { return bitgate::BsqActivationForward(x, p); };
    }
  };
  template <class Body>
  __device__ void Prepare(const Body& body) const {
    const auto same = [](float value) { return value; };
    body(Prepared{MakeBsqActivationElement<float>(Bound(alpha), *largest, bits, same, same)});
  }
};

struct BackwardOp {
  static constexpr int kMaxSums = 1;
  static constexpr int kRowSum = -1;

  const float* alpha;
  float* grad_alpha;  // or null

  struct Prepared {
    static constexpr int kSums = 1;
    float bound;
    float* grad_alpha;
    __device__ auto Row(int64_t) const {
      return [bound = bound](float* sums, float x, float grad) {
        return bitgate::BsqActivationBackward(x, grad, 0.0f, bound, sums);
      };
    }
    __device__ void Finish(const double* totals) const {
      if (grad_alpha != nullptr) *grad_alpha = static_cast<float>(totals[0]);
    }
  };
  template <class Body>
  __device__ void Prepare(const Body& body) const {
    body(Prepared{Bound(alpha), grad_alpha});
  }
};

}  // namespace

// ---- launchers ----

void BsqLargest(KernelContext& context, View largest, const BsqActivationInputs& in) {
  const Segments segments = CutIntoSegments(1, in.size);
  const bool aligned = IsAligned(in.x.data, sizeof(float4));
  float* partial = static_cast<float*>(context.workspace.Get(static_cast<size_t>(segments.blocks) * sizeof(float)));
  Launch(context.stream, dim3(static_cast<unsigned>(segments.blocks)), kThreads, LargestKernel, segments, in.x.As(),
         aligned, in.alpha.As(), partial, largest.As());
}

void BsqActivationForward(KernelContext& context, View y, const BsqActivationInputs& in, ConstView largest, int bits) {
  LaunchMapRows(context.stream, 1, in.size, ForwardOp{in.alpha.As(), largest.As(), bits}, y.As(), in.x.As());
}

void BsqActivationBackward(KernelContext& context, View grad_x, View grad_alpha, ConstView grad_y,
                           const BsqActivationInputs& in) {
  LaunchMapReduce(context, 1, in.size, BackwardOp{in.alpha.As(), grad_alpha.As()}, nullptr, grad_x.As(), in.x.As(),
                  grad_y.As());
}

}  // namespace cuda
}  // namespace bitgate
