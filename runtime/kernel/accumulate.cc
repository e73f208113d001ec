#include "runtime/kernel/accumulate.h"

#include "runtime/base/error.h"
#include "runtime/kernel/accumulate_kernels.h"
#include "runtime/kernel/dispatch.h"

namespace bitgate {

void Add(Context& context, const Tensor& y, const Tensor& a, const Tensor& b) {
  if (a.size() != b.size() || y.size() != a.size() || a.dtype() != DType::kFloat32 || b.dtype() != DType::kFloat32 ||
      y.dtype() != DType::kFloat32) {
    throw InvalidArgument("add: expected three float32 arrays of one size, got ", ToString(a.dtype()), a.shape(), " + ",
                          ToString(b.dtype()), b.shape(), " into ", ToString(y.dtype()), y.shape());
  }
  static const KernelTable<decltype(cpu::scalar::Add)> kernels{BG_CPU_KERNEL(Add), BG_CUDA_KERNEL(Add)};
  kernels.For(context.device(), "add")(context.kernel(), y.view(), a.view(), b.view(), y.size());
}

}  // namespace bitgate
