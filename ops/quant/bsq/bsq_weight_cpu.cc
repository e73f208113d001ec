#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_math.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

BG_INLINE double SumOf(const double* values, int64_t count) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += values[i];
  return sum;
}

struct BroadcastValue {
  BG_INLINE Vec operator()(float value) const { return Broadcast(value); }
};

// The sum of squares of elements [begin, end).
BG_INLINE double SumOfSquares(const float* x, int64_t begin, int64_t end) {
  Vec sum = Broadcast(0.0f);
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) {
    const Vec value = Load(x + i);
    sum = sum + value * value;
  }
  if (i < end) {
    const Vec value = LoadFirst(x + i, static_cast<int>(end - i));
    sum = sum + value * value;
  }
  return SumLanes(sum);
}

}  // namespace

void BsqWeightForward(KernelContext&, View w, View quantized, const BsqPlanes& in, ConstView scale) {
  const float* planes = in.planes.As();
  float* results = w.As();
  float* saved = quantized.As();
  const int64_t elements = in.elements;
  const int bits = in.bits;
  const Vec levels = Broadcast(BsqLevels(bits)), one = Broadcast(1.0f), s = Broadcast(scale.As()[0]);
  const auto quantize = [&](const auto& plane) __attribute__((always_inline)) {
    return BsqCode(BsqPlaneSum<Vec>(bits, plane, BroadcastValue()), levels, one) / levels;
  };
  ForEachBlock(RowBlocks(1, elements), [&](int64_t, int64_t begin, int64_t end, int64_t) {
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      const Vec q = quantize([&](int row) __attribute__((always_inline)) { return Load(planes + row * elements + i); });
      if (saved != nullptr) Store(q, saved + i);
      Store(s * q, results + i);
    }
    if (i < end) {
      const int count = static_cast<int>(end - i);
      const Vec q = quantize([&](int row) __attribute__((always_inline)) {
        return LoadFirst(planes + row * elements + i, count);
      });
      if (saved != nullptr) StoreFirst(q, saved + i, count);
      StoreFirst(s * q, results + i, count);
    }
  });
}

void BsqWeightBackward(KernelContext& context, View grad_row, View grad_scale, ConstView grad_w, ConstView quantized,
                       ConstView scale, int64_t elements) {
  const RowBlocks blocks(1, elements);
  double* partial = static_cast<double*>(context.workspace.Get(blocks.count() * sizeof(double)));
  MapReduceRows<1>(
      blocks,
      [s = Broadcast(scale.As()[0])](int64_t) {
        return [s](Vec * sum, Vec grad, Vec q) __attribute__((always_inline)) {
          *sum = *sum + grad * q;
          return s * grad;
        };
      },
      partial, grad_row.As(), grad_w.As(), quantized.As());
  grad_scale.As()[0] = static_cast<float>(SumOf(partial, blocks.count()));
}

void BsqGroupLasso(KernelContext& context, View penalty, View decay, const BsqPlanes& in, double weight) {
  const float* planes = in.planes.As();
  const RowBlocks blocks(2 * in.bits, in.elements);
  double* partial = static_cast<double*>(context.workspace.Get(blocks.count() * sizeof(double)));
  ForEachBlock(blocks, [&](int64_t, int64_t begin, int64_t end, int64_t block) {
    partial[block] = SumOfSquares(planes, begin, end);
  });
  double norms = 0;
  for (int b = 0; b < in.bits; ++b) {
    const double norm = BsqPlaneNorm(SumOf(partial + b * blocks.blocks_per_row, blocks.blocks_per_row) +
                                     SumOf(partial + (in.bits + b) * blocks.blocks_per_row, blocks.blocks_per_row));
    norms += norm;
    decay.As()[b] = decay.As()[in.bits + b] = static_cast<float>(weight / norm);
  }
  penalty.As()[0] = static_cast<float>(weight * norms);
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
