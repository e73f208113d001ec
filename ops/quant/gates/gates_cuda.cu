#include "ops/quant/gates/gate_table.h"
#include "ops/quant/gates/gates_kernels.h"
#include "ops/quant/gates/gates_math.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_reduce.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
// A constant, not the GPU's number of processors: the order of summation is the same everywhere.
constexpr int64_t kMaxBlocks = 1024;

// ---- kernels ----

// A block a site; so many blocks as there are at most, each going on to the next.
__global__ void __launch_bounds__(kThreads) GateValuesKernel(GateTable table, const float* phi, const float* noise,
                                                             GateMode mode, float* values, float* derivatives) {
  for (int64_t s = blockIdx.x; s < table.sites; s += gridDim.x) {
    const GateRow& row = table.rows[s];
    const int64_t channels = row.site.channels;
    for (int64_t i = threadIdx.x; i < channels + 4; i += kThreads) {
      const GateSample<float> sample = i < channels
                                           ? GateAt(row.site.channel_offset + i, phi, noise, mode)
                                           : LevelGate(row.site, static_cast<int>(i - channels), phi, noise, mode);
      values[row.value_offset + i] = sample.value;
      derivatives[row.value_offset + i] = sample.derivative;
    }
  }
}

// A thread a parameter.
__global__ void __launch_bounds__(kThreads)
    GateGradientsKernel(GateTable table, const float* grad_values, const float* derivatives, float* grad_phi) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t p = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; p < table.parameters; p += step) {
    float sum = 0;
    for (int64_t k = table.begin[p]; k < table.begin[p + 1]; ++k) {
      const int64_t value = table.value_of[k];
      sum += grad_values[value] * derivatives[value];
    }
    grad_phi[p] = sum;
  }
}

// Where a value's part of the gradient goes: if its parameter has no other, that is the gradient; else it is added up
// when all are there.
struct GradientParts {
  const GateTable& table;
  float* grad_phi;
  double* parts;  // [values]

  __device__ void Put(int64_t parameter, int64_t value, double gradient) const {
    if (table.begin[parameter + 1] - table.begin[parameter] == 1) {
      grad_phi[parameter] = static_cast<float>(gradient);
    } else {
      parts[value] = gradient;
    }
  }
  __device__ void AddUp(int64_t parameter) const {
    double sum = 0;
    for (int64_t k = table.begin[parameter]; k < table.begin[parameter + 1]; ++k) sum += parts[table.value_of[k]];
    grad_phi[parameter] = static_cast<float>(sum);
  }
};

// A block a site, as above; the last one finishes.
__global__ void __launch_bounds__(kThreads)
    GatePenaltyKernel(GateTable table, const float* phi, double weight, float* penalty, float* grad_phi, double* parts,
                      double* partial) {
  const GradientParts gradients{table, grad_phi, parts};
  double own = 0;
  for (int64_t s = blockIdx.x; s < table.sites; s += gridDim.x) {
    const GateRow& row = table.rows[s];
    const GateSite& site = row.site;
    const LevelChain chain = MakeLevelChain(site, phi);
    double mean_q2 = 0;
    for (int64_t c = threadIdx.x; c < site.channels; c += kThreads) {
      const double q2 = GateProbability(phi[site.channel_offset + c]);
      mean_q2 += q2 / site.channels;
      gradients.Put(site.channel_offset + c, row.value_offset + c, ChannelPenaltyGradient(site, chain, q2, weight));
    }
    mean_q2 = CombineWarps<kWarps>(mean_q2, Plus());
    if (threadIdx.x != 0) continue;
    if (site.channels == 0) mean_q2 = 1;
    double gradient[4];
    LevelPenaltyGradients(site, chain, mean_q2, weight, gradient);
    for (int k = 0; k < 4; ++k) {
      if (site.level[k] >= 0) gradients.Put(site.level[k], row.value_offset + site.channels + k, gradient[k]);
    }
    own += SitePenalty(site, chain, mean_q2);
  }
  double sum;
  if (!SumOverGrid<kWarps>(own, partial, &sum)) return;
  if (threadIdx.x == 0) *penalty = static_cast<float>(weight * sum);
  for (int64_t k = threadIdx.x; k < *table.shared_count; k += kThreads) gradients.AddUp(table.shared[k]);
}

// ---- launchers ----

unsigned Blocks(int64_t wanted) { return static_cast<unsigned>(wanted < kMaxBlocks ? wanted : kMaxBlocks); }

}  // namespace

void GateValues(KernelContext& context, View values, View derivatives, ConstView phi, ConstView noise, GateMode mode,
                const GateLayout& layout, ConstView table) {
  const GateTable on_device = GateTableAt(table.data, layout);
  if (on_device.sites == 0) return;
  Launch(context.stream, dim3(Blocks(on_device.sites)), kThreads, GateValuesKernel, on_device, phi.As(), noise.As(),
         mode, values.As(), derivatives.As());
}

void GateGradients(KernelContext& context, View grad_phi, ConstView grad_values, ConstView derivatives,
                   const GateLayout& layout, ConstView table) {
  const GateTable on_device = GateTableAt(table.data, layout);
  if (on_device.parameters == 0) return;
  const int64_t blocks = (on_device.parameters + kThreads - 1) / kThreads;
  Launch(context.stream, dim3(Blocks(blocks)), kThreads, GateGradientsKernel, on_device, grad_values.As(),
         derivatives.As(), grad_phi.As());
}

void GatePenalty(KernelContext& context, View penalty, View grad_phi, ConstView phi, double weight,
                 const GateLayout& layout, ConstView table) {
  const GateTable on_device = GateTableAt(table.data, layout);
  const unsigned blocks = Blocks(on_device.sites > 0 ? on_device.sites : 1);
  const size_t numbers = static_cast<size_t>(on_device.values) + blocks;
  double* parts = static_cast<double*>(context.workspace.Get(numbers * sizeof(double)));
  Launch(context.stream, dim3(blocks), kThreads, GatePenaltyKernel, on_device, phi.As(), weight, penalty.As(),
         grad_phi.As(), parts, parts + on_device.values);
}

}  // namespace cuda
}  // namespace bitgate
