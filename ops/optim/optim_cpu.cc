#include "ops/optim/optim_kernels.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

using Row = RowCoefficients<Vec>;

BG_INLINE Row MakeRow(const RowUpdate& update, int64_t row) {
  const float weight_decay = update.scalars[kWeightDecay];
  const float gain = update.gain == nullptr ? 1.0f : update.gain[row];
  const float decay = update.decay == nullptr ? weight_decay : update.decay[row] + weight_decay;
  return {Broadcast(gain), Broadcast(decay), Broadcast(update.low), Broadcast(update.high)};
}

// The 16 (or, at the end, `count`) elements from `i` of each array that the step needs.
template <UpdateKind kKind, bool kFull, class Element>
BG_INLINE void UpdateLanes(const Element& element, const Row& row, float* p, float* m, float* v, const float* gradient,
                           int count) {
  const auto load = [count](const float* x) __attribute__((always_inline)) {
    return kFull ? Load(x) : LoadFirst(x, count);
  };
  const auto store = [count](Vec value, float* x) __attribute__((always_inline)) {
    if constexpr (kFull) {
      Store(value, x);
    } else {
      StoreFirst(value, x, count);
    }
  };
  const Vec shared = gradient == nullptr ? Broadcast(0.0f) : load(gradient);
  Vec parameter = load(p), first = Broadcast(0.0f), second = Broadcast(0.0f);
  if constexpr (UsesFirstMoment(kKind)) first = load(m);
  if constexpr (UsesSecondMoment(kKind)) second = load(v);
  element(RowGradient(shared, parameter, row), parameter, first, second, row);
  store(parameter, p);
  if constexpr (UsesFirstMoment(kKind)) store(first, m);
  if constexpr (UsesSecondMoment(kKind)) store(second, v);
}

// Elements [begin, end) of the update's rows laid end to end.
template <UpdateKind kKind>
BG_INLINE void UpdateSegment(const RowUpdate& update, int64_t begin, int64_t end) {
  const auto element = ElementUpdate<kKind, Vec>::Make(
      update.scalars, [](float value) __attribute__((always_inline)) { return Broadcast(value); });
  for (int64_t i = begin; i < end;) {
    const int64_t row = i / update.elements;
    const int64_t row_end = (row + 1) * update.elements < end ? (row + 1) * update.elements : end;
    const Row coefficients = MakeRow(update, row);
    // From here on indices are those of the row-major arrays; the gradient's start is moved to fit.
    const float* gradient = update.gradient;
    const int64_t shift = row * update.elements;
    const auto at = [](auto* base, int64_t index) __attribute__((always_inline)) {
      return base == nullptr ? base : base + index;
    };
    for (; i + kLanes <= row_end; i += kLanes) {
      UpdateLanes<kKind, true>(element, coefficients, update.parameter + i, at(update.first_moment, i),
                               at(update.second_moment, i), at(gradient, i - shift), kLanes);
    }
    if (i < row_end) {
      UpdateLanes<kKind, false>(element, coefficients, update.parameter + i, at(update.first_moment, i),
                                at(update.second_moment, i), at(gradient, i - shift), static_cast<int>(row_end - i));
      i = row_end;
    }
  }
}

BG_INLINE void UpdateSegmentOfKind(const RowUpdate& update, int64_t begin, int64_t end) {
  switch (update.kind) {
    case UpdateKind::kAdam:
      return UpdateSegment<UpdateKind::kAdam>(update, begin, end);
    case UpdateKind::kSgd:
      return UpdateSegment<UpdateKind::kSgd>(update, begin, end);
    case UpdateKind::kMomentum:
      return UpdateSegment<UpdateKind::kMomentum>(update, begin, end);
    case UpdateKind::kNesterov:
      return UpdateSegment<UpdateKind::kNesterov>(update, begin, end);
  }
}

}  // namespace

// All updates laid end to end and cut evenly between the threads: many tiny ones cost one wake-up together, and since
// every element is by itself, the cuts do not matter.
void OptimizerStep(KernelContext&, const RowUpdate* updates, int64_t count, ConstView proceed) {
  if (proceed.data != nullptr && *proceed.As<int32_t>() == 0) return;
  int64_t total = 0;
  for (int64_t u = 0; u < count; ++u) total += updates[u].rows * updates[u].elements;
  ParallelFor(total, kBlock, [&](int64_t begin, int64_t end) {
    int64_t first = 0;
    for (int64_t u = 0; u < count && first < end; ++u) {
      const int64_t size = updates[u].rows * updates[u].elements;
      const int64_t from = begin > first ? begin - first : 0;
      const int64_t to = end - first < size ? end - first : size;
      if (from < to) UpdateSegmentOfKind(updates[u], from, to);
      first += size;
    }
  });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
