#include "ops/elementwise/elementwise_kernels.h"
#include "ops/elementwise/elementwise_math.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {

void Relu(KernelContext&, View y, ConstView x, int64_t size) {
  const Vec zero = Broadcast(0.0f);
  Map(
      size, [=](Vec v) __attribute__((always_inline)) { return ReluValue(v, zero); }, y.As(), x.As());
}

void ReluBackward(KernelContext&, View grad_x, ConstView y, ConstView grad_y, int64_t size) {
  const Vec zero = Broadcast(0.0f);
  Map(
      size, [=](Vec v, Vec g) __attribute__((always_inline)) { return ReluSlopeTimes(v, g, zero); }, grad_x.As(),
      y.As(), grad_y.As());
}

void Mul(KernelContext&, View y, ConstView a, ConstView b, int64_t size) {
  Map(
      size, [](Vec u, Vec v) __attribute__((always_inline)) { return Product(u, v); }, y.As(), a.As(), b.As());
}

void Scale(KernelContext&, View y, ConstView x, float factor, int64_t size) {
  const Vec factors = Broadcast(factor);
  Map(
      size, [=](Vec v) __attribute__((always_inline)) { return Product(factors, v); }, y.As(), x.As());
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
