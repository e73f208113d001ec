#include <cstring>

#include "ops/quant/bayesian_bits/bayesian_bits_kernels.h"
#include "runtime/base/rng.h"
#include "runtime/base/thread_pool.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"
#include "tools/bench/benchmarks.h"

namespace bitgate::bench {
namespace {

Tensor Noise(Context& context, int64_t size, uint32_t stream) {
  Tensor tensor = Empty(context, {size});
  float* values = tensor.data<float>();
  ParallelFor(size, 1 << 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) values[i] = 4 * Uniform({1, stream, 0}, i) - 2;
  });
  return tensor;
}

void ThreadedCopy(const Tensor& target, const Tensor& source) {
  ParallelFor(source.size(), 1 << 16, [&](int64_t begin, int64_t end) {
    std::memcpy(target.data<float>() + begin, source.data<float>() + begin, (end - begin) * sizeof(float));
  });
}

}  // namespace

std::vector<Row> QuantizerRows(int64_t elements, int turns) {
  Context context;
  const Tensor x = Noise(context, elements, 1), grad = Noise(context, elements, 2);
  const Tensor y = Empty(context, {elements}), copy = Empty(context, {elements});
  const Tensor range = FromHost<float>(context, {1.5f}, {1});
  const Tensor gates = FromHost<float>(context, {1, 0.9f, 0.8f, 0.7f}, {4});
  const Tensor grad_range = Empty(context, {1}), grad_gates = Empty(context, {4});
  const BayesianBitsInputs in{x.view(), range.view(), gates.view(), {}};
  const BayesianBitsGradViews grads{y.view(), grad_range.view(), grad_gates.view(), {}};
  const auto forward = BG_CPU_KERNEL(BayesianBitsForward);
  const auto backward = BG_CPU_KERNEL(BayesianBitsBackward);
  const std::string memcpy_name = "memcpy of " + std::to_string(elements >> 20) + " M floats";
  std::vector<Row> rows;
  for (bool is_signed : {true, false}) {
    const BayesianBitsLayout layout{1, elements, is_signed};
    const std::string kind = is_signed ? "signed" : "unsigned and relu";
    const auto times =
        TakeTurns({{"quantizer forward, " + kind, [&] { forward(context.kernel(), y.view(), in, layout); }},
                   {"quantizer backward, " + kind, [&] { backward(context.kernel(), grads, grad.view(), in, layout); }},
                   {memcpy_name, [&] { ThreadedCopy(copy, x); }}},
                  turns);
    rows.push_back({times[0].name, memcpy_name, times[0].milliseconds, times[2].milliseconds, 2.0});
    rows.push_back({times[1].name, memcpy_name, times[1].milliseconds, times[2].milliseconds, 3.2});
  }
  return rows;
}

}  // namespace bitgate::bench
