#include "ops/quant/noise/noise.h"

#include "ops/operand.h"
#include "ops/quant/noise/noise_kernels.h"
#include "runtime/base/thread_pool.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

void cpu::UniformNoise(KernelContext&, View y, const RandomKey& key, ConstView words) {
  const RandomKey k = words.data == nullptr ? key : KeyFromWords(words.As<int32_t>(), key.stream);
  ParallelFor(y.shape.size(), 4096, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y.As()[i] = Uniform(k, static_cast<uint64_t>(i));
  });
}

std::array<int32_t, 4> KeyWords(const RandomKey& key) {
  const auto word = [](uint64_t bits) { return static_cast<int32_t>(static_cast<uint32_t>(bits)); };
  return {word(key.seed), word(key.seed >> 32), word(key.step), word(key.step >> 32)};
}

Tensor UniformNoise(Context& context, const RandomKey& key, int64_t size) {
  return UniformNoise(context, StepKey(key), key.stream, size);
}

Tensor UniformNoise(Context& context, const StepKey& key, uint32_t stream, int64_t size) {
  if (key.words.defined()) CheckOperandShape(context, "uniform_noise", "key words", key.words, {4}, DType::kInt32);
  Tensor noise = Empty(context, {size});
  constexpr KernelTable<decltype(cpu::UniformNoise)> kKernels{&cpu::UniformNoise, BG_CUDA_KERNEL(UniformNoise)};
  kKernels.For(context.device(), "uniform_noise")(context.kernel(), noise.view(),
                                                  {key.value.seed, stream, key.value.step}, key.words.view());
  return noise;
}

}  // namespace bitgate
