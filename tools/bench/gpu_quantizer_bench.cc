#include <functional>
#include <string>
#include <vector>

#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "runtime/base/rng.h"
#include "runtime/base/thread_pool.h"
#include "runtime/device/context.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"
#include "tools/bench/benchmarks.h"

namespace bitgate::bench {
namespace {

// Of the copy's bandwidth, reached.
constexpr double kShare = 0.85;
// With channel gates: rows as long as those of LeNet-5's largest weight.
constexpr int64_t kRow = 1024;
constexpr int kQueued = 20;

Tensor Noise(Context& context, int64_t size, uint32_t stream) {
  std::vector<float> values(size);
  ParallelFor(size, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[i] = 4 * Uniform({1, stream, 0}, i) - 2;
  });
  return FromHost(context, values, {size});
}

class Bench {
 public:
  Bench(Device device, int64_t elements, int turns)
      : context_(device),
        turns_(turns),
        x_(Noise(context_, elements, 1)),
        grad_(Noise(context_, elements, 2)),
        y_(Empty(context_, {elements})),
        range_(FromHost<float>(context_, {1.5f}, {1})),
        grad_range_(Empty(context_, {1})),
        grad_gates_(Empty(context_, {4})) {}

  // `rows`: 1 for a tensor without channel gates.
  std::vector<Row> Rows(bool is_signed, const std::vector<float>& gate_values, int64_t rows, const std::string& kind) {
    const Tensor gates = FromHost(context_, gate_values, {4});
    Tensor channel_gates, grad_channel_gates;
    if (rows > 1) {
      channel_gates = FromHost(context_, std::vector<float>(rows, 0.9f), {rows});
      grad_channel_gates = Empty(context_, {rows});
    }
    const BayesianBitsInputs in{x_.view(), range_.view(), gates.view(), channel_gates.view()};
    const BayesianBitsGradViews grads{y_.view(), grad_range_.view(), grad_gates_.view(), grad_channel_gates.view()};
    const BayesianBitsLayout layout{rows, x_.size() / rows, is_signed};
    const KernelTable<decltype(cpu::scalar::BayesianBitsForward)> forward{BG_CPU_KERNEL(BayesianBitsForward),
                                                                          BG_CUDA_KERNEL(BayesianBitsForward)};
    const KernelTable<decltype(cpu::scalar::BayesianBitsBackward)> backward{BG_CPU_KERNEL(BayesianBitsBackward),
                                                                            BG_CUDA_KERNEL(BayesianBitsBackward)};
    const auto times = TakeTurns(
        {Queued("quantizer forward, " + kind,
                [&] { forward.For(context_.device(), "forward")(context_.kernel(), y_.view(), in, layout); }),
         Queued(
             "quantizer backward, " + kind,
             [&] { backward.For(context_.device(), "backward")(context_.kernel(), grads, grad_.view(), in, layout); }),
         Queued("device copy of " + std::to_string(x_.size() >> 20) + " M floats",
                [&] { context_.backend().CopyWithin(y_.raw_data(), x_.raw_data(), x_.size() * sizeof(float)); })},
        turns_);
    const Timing &ahead = times[0], &back = times[1], &copy = times[2];
    const double bytes = static_cast<double>(x_.size()) * sizeof(float);
    const auto row = [&](const Timing& timing, int tensors) {
      Row row{timing.name, copy.name, timing.milliseconds, copy.milliseconds, tensors / 2.0 / kShare};
      row.measured_bytes = tensors * bytes;
      row.baseline_bytes = 2 * bytes;
      return row;
    };
    return {row(ahead, 2), row(back, 3)};
  }

 private:
  Contestant Queued(const std::string& name, std::function<void()> queue) {
    return {name,
            [this, queue] {
              for (int i = 0; i < kQueued; ++i) queue();
              context_.backend().Synchronize();
            },
            kQueued};
  }

  Context context_;
  int turns_;
  Tensor x_, grad_, y_, range_, grad_range_, grad_gates_;
};

}  // namespace

std::vector<Row> GpuQuantizerRows(Device device, int64_t elements, int turns) {
  Bench bench(device, elements, turns);
  std::vector<Row> rows;
  for (const bool is_signed : {true, false}) {
    for (const bool typical : {false, true}) {
      for (const int64_t channels : {int64_t{1}, elements / kRow}) {
        const std::vector<float> gates = {1, 0.9f, typical ? 0 : 0.8f, typical ? 0 : 0.7f};
        const std::string kind = std::string(is_signed ? "signed" : "unsigned and relu") +
                                 (typical ? ", up to 8 bits" : ", up to 32 bits") +
                                 (channels > 1 ? ", channel gates" : "");
        for (const Row& row : bench.Rows(is_signed, gates, channels, kind)) rows.push_back(row);
      }
    }
  }
  return rows;
}

}  // namespace bitgate::bench
