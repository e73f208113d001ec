#include <algorithm>

#include "ops/quant/gates/gates_kernels.h"
#include "ops/quant/gates/gates_math.h"

namespace bitgate {
namespace cpu {
namespace {

GateSample<float> Sample(float phi, const float* noise, int64_t offset, GateMode mode) {
  switch (mode) {
    case GateMode::kStochastic:
      return SampleGate(phi, noise[offset]);
    case GateMode::kDeterministic:
      return StretchedSigmoid(phi);
    case GateMode::kThreshold:
      break;
  }
  return {IsGateOpen(phi) ? 1.0f : 0.0f, 0.0f};
}

// q in float32, as published: 1 - q of an open gate has few bits left, and training is to follow the same ones.
double Probability(float phi) { return OpenProbability(phi); }

// R of one site in double, and dR/dphi added into grad_phi. With prefix P_k = prod of q up to gate k and suffix
// T_k = c_k + q_(k+1) T_(k+1):  R = q2 (c2 + q4 T4), and dR/dq_k = P_(k-1) T_k.
double SitePenalty(const GateSite& site, const float* phi, double weight, double* grad_phi) {
  double q[4], prefix = 1, before[4], inner = 0;
  bool counts[4];
  bool closed = false;
  for (int k = 0; k < 4; ++k) {
    const int64_t offset = site.level[k];
    closed = closed || offset == kGateClosed;
    // A gate shared with the level before it is one event: its probability enters the product once.
    const bool own = offset >= 0 && (k == 0 || offset != site.level[k - 1]);
    q[k] = closed ? 0.0 : own ? Probability(phi[offset]) : 1.0;
    counts[k] = own && !closed;
    before[k] = prefix;
    prefix *= q[k];
    inner += site.cost[k + 1] * prefix;
  }
  double mean_q2 = 1;
  if (site.channels > 0) {
    mean_q2 = 0;
    for (int64_t c = 0; c < site.channels; ++c) {
      const double q2 = Probability(phi[site.channel_offset + c]);
      mean_q2 += q2 / site.channels;
      grad_phi[site.channel_offset + c] += weight * q2 * (1 - q2) * (site.cost[0] + inner) / site.channels;
    }
  }
  double suffix = 0;
  for (int k = 3; k >= 0; --k) {
    suffix = site.cost[k + 1] + (k < 3 ? q[k + 1] * suffix : 0.0);
    if (counts[k]) grad_phi[site.level[k]] += weight * mean_q2 * before[k] * suffix * q[k] * (1 - q[k]);
  }
  return site.channels > 0 ? mean_q2 * (site.cost[0] + inner) : 1.0 + inner;
}

}  // namespace

void GateValues(KernelContext&, View values, View derivatives, ConstView phi, ConstView noise, GateMode mode,
                const GateLayout& layout) {
  float* z = values.As();
  float* d = derivatives.As();
  const auto put = [&](GateSample<float> sample) {
    *z++ = sample.value;
    *d++ = sample.derivative;
  };
  for (const GateSite& site : layout.sites) {
    for (int64_t c = 0; c < site.channels; ++c) {
      const int64_t offset = site.channel_offset + c;
      put(Sample(phi.As()[offset], noise.As(), offset, mode));
    }
    bool stopped = false;
    for (int64_t offset : site.level) {
      stopped = stopped || offset == kGateClosed || (offset >= 0 && phi.As()[offset] <= HardConcrete<float>::kCut);
      if (stopped) {
        put({0.0f, 0.0f});
      } else if (offset == kGateOpen) {
        put({1.0f, 0.0f});
      } else {
        put(Sample(phi.As()[offset], noise.As(), offset, mode));
      }
    }
  }
}

void GateGradients(KernelContext&, View grad_phi, ConstView grad_values, ConstView derivatives,
                   const GateLayout& layout) {
  const float* g = grad_values.As();
  const float* d = derivatives.As();
  std::fill(grad_phi.As(), grad_phi.As() + layout.parameters, 0.0f);
  for (const GateSite& site : layout.sites) {
    for (int64_t c = 0; c < site.channels; ++c) grad_phi.As()[site.channel_offset + c] += *g++ * *d++;
    for (int64_t offset : site.level) {
      if (offset >= 0) grad_phi.As()[offset] += *g * *d;
      ++g, ++d;
    }
  }
}

void GatePenalty(KernelContext& context, View penalty, View grad_phi, ConstView phi, double weight,
                 const GateLayout& layout) {
  double* grad = static_cast<double*>(context.workspace.Get(layout.parameters * sizeof(double)));
  std::fill(grad, grad + layout.parameters, 0.0);
  double sum = 0;
  for (const GateSite& site : layout.sites) sum += SitePenalty(site, phi.As(), weight, grad);
  penalty.As()[0] = static_cast<float>(weight * sum);
  for (int64_t i = 0; i < layout.parameters; ++i) grad_phi.As()[i] = static_cast<float>(grad[i]);
}

}  // namespace cpu
}  // namespace bitgate
