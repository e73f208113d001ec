#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

// Calls body(Int<levels>()).
template <class Body>
BG_INLINE void DispatchLevels(int levels, const Body& body) {
  switch (levels) {
    case 1:
      return body(Int<1>());
    case 2:
      return body(Int<2>());
    case 3:
      return body(Int<3>());
    case 4:
      return body(Int<4>());
    default:
      return body(Int<5>());
  }
}

BG_INLINE BayesianBitsElement<Vec> MakeElement(const BayesianBitsInputs& in, const BayesianBitsScales<float>& scales,
                                               int64_t row) {
  const float* channel_gates = in.channel_gates.As();
  return MakeBayesianBitsElement<Vec>(
      scales, in.gates.As(), channel_gates == nullptr ? 1.0f : channel_gates[row],
      [](float value) __attribute__((always_inline)) { return Broadcast(value); });
}

// Adds the blocks' sums in order: per row into the channel gates' gradients, over all rows into `totals`.
template <int kSums>
BG_INLINE void SumBlocks(const RowBlocks& blocks, const double* partial, float* grad_channels, double* totals) {
  for (int k = 0; k < kSums; ++k) totals[k] = 0;
  for (int64_t row = 0; row < blocks.rows; ++row) {
    double channel = 0;
    for (int64_t block = row * blocks.blocks_per_row; block < (row + 1) * blocks.blocks_per_row; ++block) {
      for (int k = 0; k < kSums; ++k) totals[k] += partial[block * kSums + k];
      channel += partial[block * kSums + kSumChannel];
    }
    if (grad_channels != nullptr) grad_channels[row] = static_cast<float>(channel);
  }
}

}  // namespace

void BayesianBitsForward(KernelContext&, View y, const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  const auto scales = MakeBayesianBitsScales(in.range.As()[0], layout.is_signed);
  DispatchLevels(ActiveLevels(in.gates.As()), [&](auto levels) {
    MapRows(
        layout.rows, layout.elements,
        [&](int64_t row) {
          return [p = MakeElement(in, scales, row)](Vec x) __attribute__((always_inline)) {
            return bitgate::BayesianBitsForward<decltype(levels)::value>(x, p);
          };
        },
        y.As(), in.x.As());
  });
}

void BayesianBitsBackward(KernelContext& context, const BayesianBitsGradViews& grad_in, ConstView grad_y,
                          const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  const float beta = in.range.As()[0];
  const float* gates = in.gates.As();
  const auto scales = MakeBayesianBitsScales(beta, layout.is_signed);
  const RowBlocks blocks(layout.rows, layout.elements);
  DispatchLevels(ActiveLevels(gates), [&](auto level_count) {
    constexpr int kLevels = decltype(level_count)::value;
    constexpr int kSums = kBayesianBitsSums<kLevels>;
    double* partial = static_cast<double*>(context.workspace.Get(blocks.count() * kSums * sizeof(double)));
    const Vec edge_low = Broadcast(layout.is_signed ? 1.0f : 0.0f);
    MapReduceRows<kSums>(
        blocks,
        [&](int64_t row) {
          return [ edge_low, p = MakeElement(in, scales, row) ](Vec * sums, Vec x, Vec grad)
              __attribute__((always_inline)) {
            return bitgate::BayesianBitsBackward<kLevels>(x, grad, p, edge_low, sums);
          };
        },
        partial, grad_in.x.As(), in.x.As(), grad_y.As());
    double totals[kSums];
    SumBlocks<kSums>(blocks, partial, grad_in.channel_gates.As(), totals);
    const BayesianBitsParameterGrad grad = FinishBayesianBitsGrad(totals, kLevels, beta, gates);
    grad_in.range.As()[0] = static_cast<float>(grad.range);
    for (int k = 0; k < kBayesianBitsGates; ++k) grad_in.gates.As()[k] = static_cast<float>(grad.gate[k]);
  });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
