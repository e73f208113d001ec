#include "ops/quant/bsq/bsq_group_lasso.h"

#include <cmath>

#include "ops/quant/bsq/bsq_kernels.h"
#include "ops/quant/bsq/bsq_operand.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {

BsqLasso BsqGroupLasso(Context& context, const Tensor& planes, int bits, double weight) {
  constexpr const char* kName = "bsq_group_lasso";
  const int64_t elements = CheckBsqPlanes(context, kName, planes, bits);
  if (!(weight >= 0) || !std::isfinite(weight)) {
    throw InvalidArgument(kName, ": expected a weight of at least 0, got ", weight);
  }
  static const KernelTable<decltype(cpu::scalar::BsqGroupLasso)> kernels{BG_CPU_KERNEL(BsqGroupLasso),
                                                                         BG_CUDA_KERNEL(BsqGroupLasso)};
  const BsqLasso lasso{Empty(context, {1}), Empty(context, {2 * bits})};
  kernels.For(context.device(), kName)(context.kernel(), lasso.penalty.view(), lasso.decay.view(),
                                       BsqPlanes{planes.view(), bits, elements}, weight);
  return lasso;
}

}  // namespace bitgate
