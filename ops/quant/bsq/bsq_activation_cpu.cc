#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_math.h"
#include "runtime/kernel/map.h"
#include "runtime/kernel/vec_divisor.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

BG_INLINE float Bound(const BsqActivationInputs& in) { return in.alpha.data == nullptr ? kBsqRelu6 : in.alpha.As()[0]; }

// The largest of 0 and elements [begin, end).
BG_INLINE float LargestOf(const float* x, int64_t begin, int64_t end) {
  Vec largest = Broadcast(0.0f);
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) largest = Max(largest, Load(x + i));
  if (i < end) largest = Max(largest, LoadFirst(x + i, static_cast<int>(end - i)));
  alignas(64) float lanes[kLanes];
  Store(largest, lanes);
  float result = 0;
  for (float lane : lanes) result = result < lane ? lane : result;
  return result;
}

}  // namespace

void BsqLargest(KernelContext& context, View largest, const BsqActivationInputs& in) {
  const float* x = in.x.As();
  const RowBlocks blocks(1, in.size);
  float* partial = static_cast<float*>(context.workspace.Get(blocks.count() * sizeof(float)));
  ForEachBlock(blocks,
               [&](int64_t, int64_t begin, int64_t end, int64_t block) { partial[block] = LargestOf(x, begin, end); });
  largest.As()[0] = bitgate::Clamp(LargestOf(partial, 0, blocks.count()), 0.0f, Bound(in));
}

void BsqActivationForward(KernelContext&, View y, const BsqActivationInputs& in, ConstView largest, int bits) {
  const float bound = Bound(in), most = largest.As()[0];
  const auto broadcast = [](float value) __attribute__((always_inline)) { return Broadcast(value); };
  const auto run = [&](const auto& p) {
    Map(
        in.size, [p](Vec x) __attribute__((always_inline)) { return bitgate::BsqActivationForward(x, p); }, y.As(),
        in.x.As());
  };
  if (BsqCoveredByDivisors(bound, most)) {
    run(MakeBsqActivationElement<Vec, VecDivisor>(
        bound, most, bits, broadcast,
        [](float value) __attribute__((always_inline)) { return VecDivisor::Of(value); }));
  } else {
    run(MakeBsqActivationElement<Vec>(bound, most, bits, broadcast, broadcast));
  }
}

void BsqActivationBackward(KernelContext& context, View grad_x, View grad_alpha, ConstView grad_y,
                           const BsqActivationInputs& in) {
  const RowBlocks blocks(1, in.size);
  double* partial = static_cast<double*>(context.workspace.Get(blocks.count() * sizeof(double)));
  MapReduceRows<1>(
      blocks,
      [zero = Broadcast(0.0f), bound = Broadcast(Bound(in))](int64_t) {
        return [ zero, bound ](Vec * sum, Vec x, Vec grad) __attribute__((always_inline)) {
          return bitgate::BsqActivationBackward(x, grad, zero, bound, sum);
        };
      },
      partial, grad_x.As(), in.x.As(), grad_y.As());
  if (grad_alpha.data == nullptr) return;
  double sum = 0;
  for (int64_t block = 0; block < blocks.count(); ++block) sum += partial[block];
  grad_alpha.As()[0] = static_cast<float>(sum);
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
