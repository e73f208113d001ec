#include "ops/quant/noise/noise.h"

#include "runtime/base/thread_pool.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace cpu {
namespace {

void UniformNoise(View y, const RandomKey& key) {
  ParallelFor(y.shape.size(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y.As()[i] = Uniform(key, static_cast<uint64_t>(i));
  });
}

}  // namespace
}  // namespace cpu

Tensor UniformNoise(Context& context, const RandomKey& key, int64_t size) {
  static const KernelTable<void(View, const RandomKey&)> kernels{&cpu::UniformNoise, nullptr};
  Tensor noise = Empty(context, {size});
  kernels.For(context.device(), "uniform_noise")(noise.view(), key);
  return noise;
}

}  // namespace bitgate
