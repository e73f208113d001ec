#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "ops/quant/bayesian_bits/bayesian_bits_math.h"
#include "runtime/kernel/cuda_map.h"
#include "runtime/kernel/divisor.h"

namespace bitgate {
namespace cuda {
namespace {

// Range, gates and channel gates are read on the device, so that a captured step sees their current values.
struct Parameters {
  const float* range;
  const float* gates;
  const float* channel_gates;
  bool is_signed;

  __device__ float ChannelGate(int64_t row) const { return channel_gates == nullptr ? 1.0f : channel_gates[row]; }
};

// What one step's elements need besides their row's gate. Scale is Divisor, or float for scales that it does not cover.
template <int kLevelCount, class Scale>
struct Cascade {
  static constexpr int kLevels = kLevelCount;

  Parameters parameters;
  float beta;
  float gates[kBayesianBitsGates];
  BayesianBitsElement<float, Scale> element;

  __device__ BayesianBitsElement<float, Scale> Element(int64_t row) const {
    BayesianBitsElement<float, Scale> p = element;
    p.channel_gate = parameters.ChannelGate(row);
    return p;
  }
};

template <int kLevels, class Scale, class MakeScale, class Body>
__device__ void WithCascade(const Parameters& parameters, float beta, const float* gates,
                            const BayesianBitsScales<float>& scales, MakeScale make_scale, const Body& body) {
  Cascade<kLevels, Scale> cascade;
  cascade.parameters = parameters;
  cascade.beta = beta;
  BG_UNROLL
  for (int k = 0; k < kBayesianBitsGates; ++k) cascade.gates[k] = gates[k];
  cascade.element = MakeBayesianBitsElement<float, Scale>(
      scales, gates, 1.0f, [](float v) { return v; }, make_scale);
  body(cascade);
}

// Calls body(Cascade<levels, Scale>): levels behind a gate that is 0 have no code in there.
template <class Body>
__device__ void DispatchCascade(const Parameters& parameters, const Body& body) {
  float gates[kBayesianBitsGates];
  BG_UNROLL
  for (int k = 0; k < kBayesianBitsGates; ++k) gates[k] = parameters.gates[k];
  const float beta = *parameters.range;
  const BayesianBitsScales<float> scales = MakeBayesianBitsScales(beta, parameters.is_signed);
  const bool covered = CoveredByDivisors(scales);
  const auto run = [&](auto levels) {
    constexpr int kLevels = decltype(levels)::value;
    if (covered) {
      WithCascade<kLevels, Divisor>(
          parameters, beta, gates, scales, [](float s) { return Divisor::Of(s); }, body);
    } else {
      WithCascade<kLevels, float>(
          parameters, beta, gates, scales, [](float s) { return s; }, body);
    }
  };
  switch (ActiveLevels(gates)) {
    case 1:
      return run(std::integral_constant<int, 1>());
    case 2:
      return run(std::integral_constant<int, 2>());
    case 3:
      return run(std::integral_constant<int, 3>());
    case 4:
      return run(std::integral_constant<int, 4>());
    default:
      return run(std::integral_constant<int, 5>());
  }
}

template <class C>
struct ForwardElements {
  const C& cascade;

  __device__ auto Row(int64_t row) const {
    return [p = cascade.Element(row)](float x) { return bitgate::BayesianBitsForward<C::kLevels>(x, p); };
  }
};

struct ForwardOp {
  Parameters parameters;

  template <class Body>
  __device__ void Prepare(const Body& body) const {
    DispatchCascade(parameters,
                    [&](const auto& cascade) { body(ForwardElements<std::decay_t<decltype(cascade)>>{cascade}); });
  }
};

template <class C>
struct BackwardElements {
  static constexpr int kSums = kBayesianBitsSums<C::kLevels>;

  const C& cascade;
  float* grad_range;
  float* grad_gates;

  __device__ auto Row(int64_t row) const {
    return [p = cascade.Element(row), edge_low = cascade.parameters.is_signed ? 1.0f : 0.0f](float* sums, float x,
                                                                                             float grad) {
      return bitgate::BayesianBitsBackward<C::kLevels>(x, grad, p, edge_low, sums);
    };
  }

  __device__ void Finish(const double* totals) const {
    const BayesianBitsParameterGrad grad = FinishBayesianBitsGrad(totals, C::kLevels, cascade.beta, cascade.gates);
    *grad_range = static_cast<float>(grad.range);
    for (int k = 0; k < kBayesianBitsGates; ++k) grad_gates[k] = static_cast<float>(grad.gate[k]);
  }
};

struct BackwardOp {
  static constexpr int kMaxSums = kBayesianBitsSums<kBayesianBitsLevels>;
  static constexpr int kRowSum = kSumChannel;

  Parameters parameters;
  float* grad_range;
  float* grad_gates;

  template <class Body>
  __device__ void Prepare(const Body& body) const {
    DispatchCascade(parameters, [&](const auto& cascade) {
      body(BackwardElements<std::decay_t<decltype(cascade)>>{cascade, grad_range, grad_gates});
    });
  }
};

Parameters MakeParameters(const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  return {in.range.As(), in.gates.As(), in.channel_gates.As(), layout.is_signed};
}

}  // namespace

void BayesianBitsForward(KernelContext& context, View y, const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  LaunchMapRows(context.stream, layout.rows, layout.elements, ForwardOp{MakeParameters(in, layout)}, y.As(), in.x.As());
}

void BayesianBitsBackward(KernelContext& context, const BayesianBitsGradViews& grad_in, ConstView grad_y,
                          const BayesianBitsInputs& in, BayesianBitsLayout layout) {
  const BackwardOp op{MakeParameters(in, layout), grad_in.range.As(), grad_in.gates.As()};
  LaunchMapReduce(context, layout.rows, layout.elements, op, grad_in.channel_gates.As(), grad_in.x.As(), in.x.As(),
                  grad_y.As());
}

}  // namespace cuda
}  // namespace bitgate
