#include <type_traits>

#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "runtime/kernel/map.h"
#include "runtime/kernel/vec_divisor.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

template <class Scale>
BG_INLINE Scale MakeScale(float value) {
  if constexpr (std::is_same_v<Scale, Vec>) {
    return Broadcast(value);
  } else {
    return Scale::Of(value);
  }
}

// A pass over the elements: with kLevels levels, and scales that are Divisors where these cover them.
template <int kLevels, class Scale>
struct Cascade {
  static constexpr int levels = kLevels;
  const BayesianBitsInputs& in;
  const BayesianBitsScales<float>& scales;

  BG_INLINE BayesianBitsElement<Vec, Scale> Element(int64_t row) const {
    const float* channel_gates = in.channel_gates.As();
    return MakeBayesianBitsElement<Vec, Scale>(
        scales, in.gates.As(), channel_gates == nullptr ? 1.0f : channel_gates[row],
        [](float value) __attribute__((always_inline)) { return Broadcast(value); },
        [](float value) __attribute__((always_inline)) { return MakeScale<Scale>(value); });
  }
};

template <int kLevels, class Body>
BG_INLINE void WithCascade(const BayesianBitsInputs& in, const BayesianBitsScales<float>& scales, const Body& body) {
  if (CoveredByDivisors(scales)) {
    body(Cascade<kLevels, VecDivisor>{in, scales});
  } else {
    body(Cascade<kLevels, Vec>{in, scales});
  }
}

template <class Body>
BG_INLINE void DispatchCascade(const BayesianBitsInputs& in, const BayesianBitsScales<float>& scales,
                               const Body& body) {
  switch (ActiveLevels(in.gates.As())) {
    case 1:
      return WithCascade<1>(in, scales, body);
    case 2:
      return WithCascade<2>(in, scales, body);
    case 3:
      return WithCascade<3>(in, scales, body);
    case 4:
      return WithCascade<4>(in, scales, body);
    default:
      return WithCascade<5>(in, scales, body);
  }
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
  DispatchCascade(in, scales, [&](const auto& cascade) {
    constexpr int kLevels = std::decay_t<decltype(cascade)>::levels;
    MapRows(
        layout.rows, layout.elements,
        [&](int64_t row) {
          return [p = cascade.Element(row)](Vec x) __attribute__((always_inline)) {
            return bitgate::BayesianBitsForward<kLevels>(x, p);
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
  DispatchCascade(in, scales, [&](const auto& cascade) {
    constexpr int kLevels = std::decay_t<decltype(cascade)>::levels;
    constexpr int kSums = kBayesianBitsSums<kLevels>;
    double* partial = static_cast<double*>(context.workspace.Get(blocks.count() * kSums * sizeof(double)));
    const Vec edge_low = Broadcast(layout.is_signed ? 1.0f : 0.0f);
    MapReduceRows<kSums>(
        blocks,
        [&](int64_t row) {
          return [ edge_low, p = cascade.Element(row) ](Vec * sums, Vec x, Vec grad) __attribute__((always_inline)) {
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
