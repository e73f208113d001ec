#include "ops/scaled/scaled.h"

#include "ops/operand.h"
#include "ops/scaled/scaled_kernels.h"
#include "runtime/base/error.h"
#include "runtime/base/thread_pool.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

void cpu::ScaleByTensor(KernelContext&, View y, ConstView x, ConstView factor, int64_t size) {
  constexpr int64_t kGrain = int64_t{1} << 15;
  const float f = factor.As()[0];
  ParallelFor(size, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y.As()[i] = f * x.As()[i];
  });
}

Tensor Scaled(Context& context, const char* op, const Tensor& x, const Tensor& factor) {
  CheckOperand(context, op, "x", x);
  CheckOperand(context, op, "factor", factor);
  if (factor.size() != 1) throw InvalidArgument(op, ": expected a factor of one element, got shape ", factor.shape());
  Tensor y = Empty(context, x.shape());
  constexpr KernelTable<decltype(cpu::ScaleByTensor)> kKernels{&cpu::ScaleByTensor, BG_CUDA_KERNEL(ScaleByTensor)};
  kKernels.For(context.device(), op)(context.kernel(), y.view(), x.view(), factor.view(), x.size());
  return y;
}

}  // namespace bitgate
