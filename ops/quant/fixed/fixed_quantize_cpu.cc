#include "ops/quant/fixed/fixed_math.h"
#include "ops/quant/fixed/fixed_quantize_kernels.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

BG_INLINE FixedElement<Vec> MakeElement(const FixedInputs& in, const FixedQuantizer& q, int64_t row) {
  const FixedLengths lengths = StretchLengths({q.scale, q.low, q.high}, in.range.As()[0], q.range);
  const float* keep = in.keep.As();
  FixedElement<Vec> p;
  p.scale = Broadcast(lengths.scale);
  p.qmin = Broadcast(static_cast<float>(q.qmin));
  p.qmax = Broadcast(static_cast<float>(q.qmax));
  p.low = Broadcast(lengths.low);
  p.high = Broadcast(lengths.high);
  p.keep = Broadcast(keep == nullptr ? 1.0f : keep[row]);
  p.zero = Broadcast(0.0f);
  return p;
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
  // d scale / d range = scale at freezing / range at freezing; the clip's sum is already in units of the bounds.
  const double per_range =
      quantizer.clip_only ? 1.0 / in.range.As()[0] : static_cast<double>(quantizer.scale) / quantizer.range;
  grad_range.As()[0] = static_cast<float>(sum * per_range);
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
