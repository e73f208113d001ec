#include "runtime/kernel/accumulate_kernels.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {

void Add(KernelContext&, View y, ConstView a, ConstView b, int64_t size) {
  Map(
      size, [](Vec u, Vec v) __attribute__((always_inline)) { return u + v; }, y.As(), a.As(), b.As());
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
