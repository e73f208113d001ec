#include <algorithm>

#include "ops/quant/gates/gates_kernels.h"
#include "ops/quant/gates/gates_math.h"

namespace bitgate {
namespace cpu {
namespace {

// weight * R is what the regularizer has of this site: returns R, and adds the gradient into grad_phi.
double AddSitePenalty(const GateSite& site, const float* phi, double weight, double* grad_phi) {
  const LevelChain chain = MakeLevelChain(site, phi);
  double mean_q2 = site.channels > 0 ? 0 : 1;
  for (int64_t c = 0; c < site.channels; ++c) {
    const double q2 = GateProbability(phi[site.channel_offset + c]);
    mean_q2 += q2 / site.channels;
    grad_phi[site.channel_offset + c] += ChannelPenaltyGradient(site, chain, q2, weight);
  }
  double gradient[4];
  LevelPenaltyGradients(site, chain, mean_q2, weight, gradient);
  for (int k = 3; k >= 0; --k) {
    if (chain.counts[k]) grad_phi[site.level[k]] += gradient[k];
  }
  return SitePenalty(site, chain, mean_q2);
}

}  // namespace

void GateValues(KernelContext&, View values, View derivatives, ConstView phi, ConstView noise, GateMode mode,
                const GateLayout& layout, ConstView) {
  float* z = values.As();
  float* d = derivatives.As();
  const auto put = [&](GateSample<float> sample) {
    *z++ = sample.value;
    *d++ = sample.derivative;
  };
  for (const GateSite& site : layout.sites) {
    for (int64_t c = 0; c < site.channels; ++c) put(GateAt(site.channel_offset + c, phi.As(), noise.As(), mode));
    for (int k = 0; k < 4; ++k) put(LevelGate(site, k, phi.As(), noise.As(), mode));
  }
}

void GateGradients(KernelContext&, View grad_phi, ConstView grad_values, ConstView derivatives,
                   const GateLayout& layout, ConstView) {
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
                 const GateLayout& layout, ConstView) {
  double* grad = static_cast<double*>(context.workspace.Get(layout.parameters * sizeof(double)));
  std::fill(grad, grad + layout.parameters, 0.0);
  double sum = 0;
  for (const GateSite& site : layout.sites) sum += AddSitePenalty(site, phi.As(), weight, grad);
  penalty.As()[0] = static_cast<float>(weight * sum);
  for (int64_t i = 0; i < layout.parameters; ++i) grad_phi.As()[i] = static_cast<float>(grad[i]);
}

}  // namespace cpu
}  // namespace bitgate
