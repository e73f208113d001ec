#include "ops/optim/optim_kernels.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

using Row = RowCoefficients<Vec>;

BG_INLINE Row MakeRow(const RowUpdate& update, int64_t row, float weight_decay) {
  const float gain = update.gain == nullptr ? 1.0f : update.gain[row];
  const float decay = update.decay == nullptr ? weight_decay : update.decay[row] + weight_decay;
  return {Broadcast(gain), Broadcast(decay), Broadcast(update.low), Broadcast(update.high)};
}

// The 16 (or, at the end, `count`) elements from `i` of each array that the step `kMoments` moments need.
template <int kMoments, bool kFull, class Element>
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
  if constexpr (kMoments >= 1) first = load(m);
  if constexpr (kMoments >= 2) second = load(v);
  element(RowGradient(shared, parameter, row), parameter, first, second, row);
  store(parameter, p);
  if constexpr (kMoments >= 1) store(first, m);
  if constexpr (kMoments >= 2) store(second, v);
}

// Elements [begin, end) of the update's rows laid end to end.
template <int kMoments, class Element>
BG_INLINE void UpdateSegment(const RowUpdate& update, int64_t begin, int64_t end, float weight_decay,
                             const Element& element) {
  for (int64_t i = begin; i < end;) {
    const int64_t row = i / update.elements;
    const int64_t row_end = (row + 1) * update.elements < end ? (row + 1) * update.elements : end;
    const Row coefficients = MakeRow(update, row, weight_decay);
    // From here on indices are those of the row-major arrays; the gradient's start is moved to fit.
    const float* gradient = update.gradient;
    const int64_t shift = row * update.elements;
    const auto at = [](auto* base, int64_t index) __attribute__((always_inline)) {
      return base == nullptr ? base : base + index;
    };
    for (; i + kLanes <= row_end; i += kLanes) {
      UpdateLanes<kMoments, true>(element, coefficients, update.parameter + i, at(update.first_moment, i),
                                  at(update.second_moment, i), at(gradient, i - shift), kLanes);
    }
    if (i < row_end) {
      UpdateLanes<kMoments, false>(element, coefficients, update.parameter + i, at(update.first_moment, i),
                                   at(update.second_moment, i), at(gradient, i - shift), static_cast<int>(row_end - i));
      i = row_end;
    }
  }
}

// All updates laid end to end and cut evenly between the threads: many tiny ones cost one wake-up together, and since
// every element is by itself, the cuts do not matter.
template <int kMoments, class Element>
BG_INLINE void UpdateAll(const RowUpdate* updates, int64_t count, float weight_decay, const Element& element) {
  int64_t total = 0;
  for (int64_t u = 0; u < count; ++u) total += updates[u].rows * updates[u].elements;
  ParallelFor(total, kBlock, [&](int64_t begin, int64_t end) {
    int64_t first = 0;
    for (int64_t u = 0; u < count && first < end; ++u) {
      const int64_t size = updates[u].rows * updates[u].elements;
      const int64_t from = begin > first ? begin - first : 0;
      const int64_t to = end - first < size ? end - first : size;
      if (from < to) UpdateSegment<kMoments>(updates[u], from, to, weight_decay, element);
      first += size;
    }
  });
}

}  // namespace

void AdamStep(KernelContext&, const RowUpdate* updates, int64_t count, const AdamCoefficients<float>& coefficients,
              float weight_decay) {
  const AdamCoefficients<Vec> c = {Broadcast(coefficients.beta1),     Broadcast(coefficients.one_minus_beta1),
                                   Broadcast(coefficients.beta2),     Broadcast(coefficients.one_minus_beta2),
                                   Broadcast(coefficients.step_size), Broadcast(coefficients.second_scale),
                                   Broadcast(coefficients.epsilon)};
  UpdateAll<2>(
      updates, count,
      weight_decay, [&c](Vec grad, Vec & p, Vec & m, Vec & v, const Row& row) __attribute__((always_inline)) {
        AdamElement(grad, p, m, v, c, row);
      });
}

void SgdStep(KernelContext&, const RowUpdate* updates, int64_t count, SgdKind kind,
             const SgdCoefficients<float>& coefficients, float weight_decay) {
  const SgdCoefficients<Vec> c = {Broadcast(coefficients.learning_rate), Broadcast(coefficients.momentum)};
  switch (kind) {
    case SgdKind::kPlain:
      UpdateAll<0>(
          updates, count,
          weight_decay, [&c](Vec grad, Vec & p, Vec&, Vec&, const Row& row) __attribute__((always_inline)) {
            SgdElement(grad, p, c, row);
          });
      break;
    case SgdKind::kMomentum:
      UpdateAll<1>(
          updates, count,
          weight_decay, [&c](Vec grad, Vec & p, Vec & m, Vec&, const Row& row) __attribute__((always_inline)) {
            MomentumElement(grad, p, m, c, row);
          });
      break;
    case SgdKind::kNesterov:
      UpdateAll<1>(
          updates, count,
          weight_decay, [&c](Vec grad, Vec & p, Vec & m, Vec&, const Row& row) __attribute__((always_inline)) {
            NesterovElement(grad, p, m, c, row);
          });
      break;
  }
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
