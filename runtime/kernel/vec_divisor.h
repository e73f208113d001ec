// Divisor (runtime/kernel/divisor.h) for vectors. Included only by sources built through bg_isa_library. Without a
// processor's fused product and sum it is division itself, which has the same bits where a Divisor has them.
#ifndef BITGATE_RUNTIME_KERNEL_VEC_DIVISOR_H_
#define BITGATE_RUNTIME_KERNEL_VEC_DIVISOR_H_

#include "runtime/kernel/divisor.h"
#include "runtime/kernel/simd.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {

struct VecDivisor {
  BG_INLINE static VecDivisor Of(float value) {
    const Divisor divisor = Divisor::Of(value);
    return {Broadcast(divisor.value), Broadcast(divisor.reciprocal)};
  }

  Vec value, reciprocal;
};

BG_INLINE Vec operator/(Vec x, const VecDivisor& d) {
#if defined(BG_ISA_SCALAR)
  return x / d.value;
#else
  const Vec quotient = x * d.reciprocal;
  return MakeVec([&](int i) __attribute__((always_inline)) {
    const auto q = quotient.registers[i];
    return hn::NegMulAdd(hn::MulSub(q, d.value.registers[i], x.registers[i]), d.reciprocal.registers[i], q);
  });
#endif
}

BG_INLINE Vec operator*(const VecDivisor& d, Vec x) { return d.value * x; }

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_VEC_DIVISOR_H_
