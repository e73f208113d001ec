#include "ops/quant/fixed/fixed_math.h"
#include "ops/quant/fixed/fixed_quantize_kernels.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

BG_INLINE FixedElement<Vec> MakeElement(const FixedInputs& in, const FixedQuantizer& q, int64_t row) {
  const float* keep = in.keep.As();
  return MakeFixedElement<Vec>(
      q, in.range.As()[0], keep == nullptr ? 1.0f : keep[row],
      [](float value) __attribute__((always_inline)) { return Broadcast(value); });
}

}  // namespace

void FixedQuantizeForward(KernelContext&, View y, const FixedInputs& in, const FixedQuantizer& quantizer) {
  const auto run = [&](auto clip_only) {
    MapRows(
        in.rows, in.elements,
        [&](int64_t row) {
          return [p = MakeElement(in, quantizer, row)](Vec x) __attribute__((always_inline)) {
            return decltype(clip_only)::value ? ClipForward(x, p) : FixedForward(x, p);
          };
        },
        y.As(), in.x.As());
  };
  quantizer.clip_only ? run(Int<1>()) : run(Int<0>());
}

void FixedQuantizeBackward(KernelContext& context, View grad_x, View grad_range, ConstView grad_y,
                           const FixedInputs& in, const FixedQuantizer& quantizer) {
  const RowBlocks blocks(in.rows, in.elements);
  double* partial = static_cast<double*>(context.workspace.Get(blocks.count() * sizeof(double)));
  const auto run = [&](auto clip_only) {
    MapReduceRows<1>(
        blocks,
        [&](int64_t row) {
          return [p = MakeElement(in, quantizer, row)](Vec * sum, Vec x, Vec grad) __attribute__((always_inline)) {
            return decltype(clip_only)::value ? ClipBackward(x, grad, p, sum) : FixedBackward(x, grad, p, sum);
          };
        },
        partial, grad_x.As(), in.x.As(), grad_y.As());
  };
  quantizer.clip_only ? run(Int<1>()) : run(Int<0>());
  double sum = 0;
  for (int64_t block = 0; block < blocks.count(); ++block) sum += partial[block];
  grad_range.As()[0] = FinishFixedGrad(quantizer, in.range.As()[0], sum);
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
