#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_math.h"
#include "runtime/kernel/cuda_map.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = kMapThreads;

// ---- on the device ----

// Adds the squares of elements [begin, end) of a row to *sum. A thread does vectors, 4 at a time where rows are
// aligned.
__device__ void AddSquares(const float* row, int64_t begin, int64_t end, bool aligned, float* sum) {
  constexpr int kAtOnce = 4, kStep = 4 * kThreads;
  int64_t i = begin + 4 * threadIdx.x;
  if (aligned) {
    for (; i + (kAtOnce - 1) * kStep + 4 <= end; i += kAtOnce * kStep) {
      Pack<float, 4> loaded[kAtOnce];
      BG_UNROLL
      for (int u = 0; u < kAtOnce; ++u) loaded[u] = *reinterpret_cast<const Pack<float, 4>*>(row + i + u * kStep);
      BG_UNROLL
      for (int j = 0; j < 4 * kAtOnce; ++j) *sum += loaded[j / 4].value[j % 4] * loaded[j / 4].value[j % 4];
    }
  }
  for (; i < end; i += kStep) {
    for (int64_t j = i; j < i + 4 && j < end; ++j) *sum += row[j] * row[j];
  }
}

// ---- kernels ----

// kWidth neighbours a thread, its loads from all planes under way together.
template <int kBits, int kWidth>
__global__ void __launch_bounds__(kThreads)
    WeightKernel(const float* planes, int64_t elements, const float* scale, float* w, float* quantized) {
  const int64_t i = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * kWidth;
  if (i >= elements) return;
  using Neighbours = Pack<float, kWidth>;
  Neighbours digits[2 * kBits], q, results;
  BG_UNROLL
  for (int row = 0; row < 2 * kBits; ++row) {
    digits[row] = *reinterpret_cast<const Neighbours*>(planes + row * elements + i);
  }
  const float s = *scale, levels = BsqLevels(kBits);
  BG_UNROLL
  for (int j = 0; j < kWidth; ++j) {
    const float sum = BsqPlaneSum<float>(
        kBits, [&](int row) { return digits[row].value[j]; }, [](float value) { return value; });
    q.value[j] = BsqCode(sum, levels, 1.0f) / levels;
    results.value[j] = s * q.value[j];
  }
  if (quantized != nullptr) *reinterpret_cast<Neighbours*>(quantized + i) = q;
  *reinterpret_cast<Neighbours*>(w + i) = results;
}

// Planes cut into segments of `length`, a block doing one of P_b and the same one of M_b.
struct PlaneSegments {
  const float* planes;
  int64_t elements, length, per_plane;
  int bits;
  bool aligned;
};

__global__ void __launch_bounds__(kThreads)
    GroupLassoKernel(PlaneSegments s, double weight, double* partial, float* penalty, float* decay) {
  __shared__ float shared[1][kThreads];
  __shared__ double norms[kBsqMaxBits];
  const int64_t b = blockIdx.x / s.per_plane, begin = (blockIdx.x - b * s.per_plane) * s.length;
  const int64_t end = begin + s.length < s.elements ? begin + s.length : s.elements;
  float sums[1] = {0};
  AddSquares(s.planes + b * s.elements, begin, end, s.aligned, sums);
  AddSquares(s.planes + (s.bits + b) * s.elements, begin, end, s.aligned, sums);
  BlockSums<kThreads>(sums, shared, [&](int, double sum) { partial[blockIdx.x] = sum; });
  if (!LastBlock(Counters(), gridDim.x)) return;

  for (int plane = threadIdx.x / kWarp; plane < s.bits; plane += kThreads / kWarp) {
    const double squares = WarpSumOf(partial + plane * s.per_plane, s.per_plane);
    if (threadIdx.x % kWarp == 0) norms[plane] = BsqPlaneNorm(squares);
  }
  __syncthreads();
  const int own = static_cast<int>(threadIdx.x);
  if (own < s.bits) decay[own] = decay[s.bits + own] = static_cast<float>(weight / norms[own]);
  if (own != 0) return;
  double sum = 0;
  for (int plane = 0; plane < s.bits; ++plane) sum += norms[plane];
  *penalty = static_cast<float>(weight * sum);
}

struct BackwardOp {
  static constexpr int kMaxSums = 1;
  static constexpr int kRowSum = -1;

  const float* scale;
  float* grad_scale;

  struct Prepared {
    static constexpr int kSums = 1;
    float scale;
    float* grad_scale;
    __device__ auto Row(int64_t) const {
      return [s = scale](float* sums, float grad, float q) {
        sums[0] += grad * q;
        return s * grad;
      };
    }
    __device__ void Finish(const double* totals) const { *grad_scale = static_cast<float>(totals[0]); }
  };
  template <class Body>
  __device__ void Prepare(const Body& body) const {
    body(Prepared{*scale, grad_scale});
  }
};

// ---- launchers ----

template <int kBits>
void LaunchWeight(const Stream& stream, const BsqPlanes& in, const float* scale, float* w, float* quantized) {
  const float* planes = in.planes.As();
  const bool vectors = in.elements % 4 == 0 && IsAligned(planes, 16) && IsAligned(w, 16) && IsAligned(quantized, 16);
  const int64_t blocks = Parts(in.elements, (vectors ? 4 : 1) * kThreads);
  Launch(stream, dim3(static_cast<unsigned>(blocks)), kThreads,
         vectors ? WeightKernel<kBits, 4> : WeightKernel<kBits, 1>, planes, in.elements, scale, w, quantized);
}

}  // namespace

void BsqWeightForward(KernelContext& context, View w, View quantized, const BsqPlanes& in, ConstView scale) {
  if (in.elements == 0) return;
  using Launcher = void (*)(const Stream&, const BsqPlanes&, const float*, float*, float*);
  static constexpr Launcher kLaunchers[kBsqMaxBits] = {LaunchWeight<1>, LaunchWeight<2>, LaunchWeight<3>,
                                                       LaunchWeight<4>, LaunchWeight<5>, LaunchWeight<6>,
                                                       LaunchWeight<7>, LaunchWeight<8>};
  kLaunchers[in.bits - 1](context.stream, in, scale.As(), w.As(), quantized.As());
}

void BsqWeightBackward(KernelContext& context, View grad_row, View grad_scale, ConstView grad_w, ConstView quantized,
                       ConstView scale, int64_t elements) {
  LaunchMapReduce(context, 1, elements, BackwardOp{scale.As(), grad_scale.As()}, nullptr, grad_row.As(), grad_w.As(),
                  quantized.As());
}

void BsqGroupLasso(KernelContext& context, View penalty, View decay, const BsqPlanes& in, double weight) {
  PlaneSegments s{in.planes.As(), in.elements, 0, 1, in.bits, false};
  const int64_t unit = 4 * kThreads;  // one vector a thread
  s.length = AtMost(AtLeast(Parts(in.bits * in.elements, kFewBlocks * unit), 1) * unit, kMaxSegment);
  s.per_plane = AtLeast(Parts(in.elements, s.length), 1);
  s.aligned = in.elements % 4 == 0 && IsAligned(s.planes, 16);
  const int64_t blocks = in.bits * s.per_plane;
  double* partial = static_cast<double*>(context.workspace.Get(static_cast<size_t>(blocks) * sizeof(double)));
  Launch(context.stream, dim3(static_cast<unsigned>(blocks)), kThreads, GroupLassoKernel, s, weight, partial,
         penalty.As(), decay.As());
}

}  // namespace cuda
}  // namespace bitgate
