// SIMD, written once: a vector of 16 floats with the vocabulary of runtime/base/math.h.
//
// Included only by sources built through bg_isa_library, which defines BG_ISA. A Vec is 16 lanes on every instruction
// set (one AVX-512 register, two AVX2 registers, sixteen scalars), so that per-lane sums, and with them reductions, are
// bit-equal everywhere. This is the only file that knows Highway. Everything here is in the ISA's own namespace or
// forced inline: code compiled for one instruction set must never be merged with another's.
#ifndef BITGATE_RUNTIME_KERNEL_SIMD_H_
#define BITGATE_RUNTIME_KERNEL_SIMD_H_

#include <cstdint>

#include "hwy/highway.h"

#ifndef BG_ISA
#error "runtime/kernel/simd.h is for sources built through bg_isa_library"
#endif

namespace bitgate {
namespace cpu {
namespace BG_ISA {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int kLanes = 16;
using Tag = hn::CappedTag<float, kLanes>;
constexpr int kRegisters = kLanes / static_cast<int>(hn::MaxLanes(Tag()));
constexpr int kRegisterLanes = kLanes / kRegisters;

struct Vec {
  hn::Vec<Tag> registers[kRegisters];
};
struct Mask {
  hn::Mask<Tag> registers[kRegisters];
};

#define BG_INLINE [[gnu::always_inline]] inline

template <class F>
BG_INLINE Vec MakeVec(F f) {
  Vec result;
  for (int i = 0; i < kRegisters; ++i) result.registers[i] = f(i);
  return result;
}
template <class F>
BG_INLINE Mask MakeMask(F f) {
  Mask result;
  for (int i = 0; i < kRegisters; ++i) result.registers[i] = f(i);
  return result;
}

BG_INLINE Vec Broadcast(float value) {
  return MakeVec([&](int) __attribute__((always_inline)) { return hn::Set(Tag(), value); });
}
BG_INLINE Vec Load(const float* p) {
  return MakeVec([&](int i) __attribute__((always_inline)) { return hn::LoadU(Tag(), p + i * kRegisterLanes); });
}
BG_INLINE void Store(Vec v, float* p) {
  for (int i = 0; i < kRegisters; ++i) hn::StoreU(v.registers[i], Tag(), p + i * kRegisterLanes);
}
// Past the caches: for outputs much larger than they are. `p` is 64-byte aligned.
BG_INLINE void StoreStream(Vec v, float* p) {
  for (int i = 0; i < kRegisters; ++i) hn::Stream(v.registers[i], Tag(), p + i * kRegisterLanes);
}
// The first `count` lanes (1..16); the others are zero, respectively untouched in memory.
BG_INLINE Vec LoadFirst(const float* p, int count) {
  alignas(64) float lanes[kLanes] = {};
  for (int i = 0; i < count; ++i) lanes[i] = p[i];
  return Load(lanes);
}
BG_INLINE void StoreFirst(Vec v, float* p, int count) {
  alignas(64) float lanes[kLanes];
  Store(v, lanes);
  for (int i = 0; i < count; ++i) p[i] = lanes[i];
}

#define BG_UNARY(Name, HwyName)                                                                        \
  BG_INLINE Vec Name(Vec a) {                                                                          \
    return MakeVec([&](int i) __attribute__((always_inline)) { return hn::HwyName(a.registers[i]); }); \
  }
#define BG_BINARY(Name, HwyName)                                                                                       \
  BG_INLINE Vec Name(Vec a, Vec b) {                                                                                   \
    return MakeVec([&](int i) __attribute__((always_inline)) { return hn::HwyName(a.registers[i], b.registers[i]); }); \
  }
#define BG_COMPARE(Name, HwyName)                                                                                \
  BG_INLINE Mask Name(Vec a, Vec b) {                                                                            \
    return MakeMask([&](int i)                                                                                   \
                        __attribute__((always_inline)) { return hn::HwyName(a.registers[i], b.registers[i]); }); \
  }
BG_BINARY(operator+, Add)
BG_BINARY(operator-, Sub)
BG_BINARY(operator*, Mul)
BG_BINARY(operator/, Div)
BG_UNARY(Rint, Round)
BG_UNARY(Sqrt, Sqrt)
BG_UNARY(Abs, Abs)
BG_UNARY(operator-, Neg)
BG_COMPARE(operator<, Lt)
BG_COMPARE(operator<=, Le)
BG_COMPARE(operator>, Gt)
BG_COMPARE(operator>=, Ge)
#undef BG_UNARY
#undef BG_BINARY
#undef BG_COMPARE

BG_INLINE Vec Select(Mask m, Vec yes, Vec no) {
  return MakeVec([&](int i) __attribute__((always_inline)) {
    return hn::IfThenElse(m.registers[i], yes.registers[i], no.registers[i]);
  });
}
BG_INLINE Mask operator&(Mask a, Mask b) {
  return MakeMask([&](int i) __attribute__((always_inline)) { return hn::And(a.registers[i], b.registers[i]); });
}
BG_INLINE Mask operator|(Mask a, Mask b) {
  return MakeMask([&](int i) __attribute__((always_inline)) { return hn::Or(a.registers[i], b.registers[i]); });
}
// As in runtime/base/math.h: the first operand unless the second is strictly smaller (larger).
BG_INLINE Vec Min(Vec a, Vec b) { return Select(b < a, b, a); }
BG_INLINE Vec Max(Vec a, Vec b) { return Select(b > a, b, a); }
BG_INLINE Vec Clamp(Vec v, Vec low, Vec high) { return Min(Max(v, low), high); }

// The lanes in order, summed in double: the same on every instruction set.
BG_INLINE double SumLanes(Vec v) {
  alignas(64) float lanes[kLanes];
  Store(v, lanes);
  double sum = 0;
  for (float lane : lanes) sum += lane;
  return sum;
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_SIMD_H_
