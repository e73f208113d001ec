// The CPU's loop drivers: a function of 16-lane vectors over arrays, threaded, with the tail handled once.
//
// Work is cut into blocks whose bounds depend on the sizes alone; a reduction sums each block in 16 float lanes and the
// blocks in order in double. So results are the same for every thread count and every instruction set.
// Included only by sources built through bg_isa_library (see simd.h). Formulas passed in must be templates over the
// value type, or lambdas, and are called with Vec only: never with float, which would be shared between ISAs.
#ifndef BITGATE_RUNTIME_KERNEL_MAP_H_
#define BITGATE_RUNTIME_KERNEL_MAP_H_

#include "runtime/base/math.h"
#include "runtime/base/thread_pool.h"
#include "runtime/kernel/simd.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {

// A number as a type, to choose a template by a run-time value.
template <int kValue>
struct Int {
  static constexpr int value = kValue;
};

constexpr int64_t kBlock = 8192;  // elements; 3 such arrays fit a first-level cache share
constexpr int kAtOnce = 4;        // vectors: one alone leaves the processor waiting for its chain of operations
// From this size on an output goes past the caches, as memcpy's does: it would evict more than it could serve.
constexpr int64_t kStreamingElements = int64_t{1} << 24;

// A row-major matrix cut into blocks that lie within one row.
struct RowBlocks {
  int64_t rows, elements;  // the matrix
  int64_t blocks_per_row;
  BG_INLINE RowBlocks(int64_t rows, int64_t elements)
      : rows(rows), elements(elements), blocks_per_row((elements + kBlock - 1) / kBlock) {}
  BG_INLINE int64_t count() const { return rows * blocks_per_row; }
};

// Calls body(row, begin, end, block) for every block, [begin, end) being offsets into the whole array. Small matrices
// run on the calling thread: handing out work costs more than a few microseconds of it.
template <class Body>
BG_INLINE void ForEachBlock(const RowBlocks& blocks, const Body& body) {
  const int64_t grain = blocks.elements == 0 ? 1 : (2 * kBlock + blocks.elements - 1) / blocks.elements;
  ParallelFor(blocks.count(), blocks.blocks_per_row > 1 ? 2 : grain, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      const int64_t row = block / blocks.blocks_per_row;
      const int64_t begin = row * blocks.elements + block % blocks.blocks_per_row * kBlock;
      const int64_t row_end = (row + 1) * blocks.elements;
      body(row, begin, begin + kBlock < row_end ? begin + kBlock : row_end, block);
    }
  });
}

template <bool kStream>
BG_INLINE void StoreTo(Vec v, float* p) {
  if constexpr (kStream) {
    StoreStream(v, p);
  } else {
    Store(v, p);
  }
}

// y[i] = f(x0[i], x1[i], ...) over one block. Loads happen before stores, so y may be one of the inputs.
template <bool kStream, class F, class... Inputs>
BG_INLINE void MapBlock(int64_t begin, int64_t end, F f, float* y, const Inputs*... x) {
  int64_t i = begin;
  for (; i + kAtOnce * kLanes <= end; i += kAtOnce * kLanes) {
    Vec results[kAtOnce];
    BG_UNROLL
    for (int k = 0; k < kAtOnce; ++k) results[k] = f(Load(x + i + k * kLanes)...);
    BG_UNROLL
    for (int k = 0; k < kAtOnce; ++k) StoreTo<kStream>(results[k], y + i + k * kLanes);
  }
  for (; i + kLanes <= end; i += kLanes) StoreTo<kStream>(f(Load(x + i)...), y + i);
  if (i < end) {
    const int count = static_cast<int>(end - i);
    StoreFirst(f(LoadFirst(x + i, count)...), y + i, count);
  }
}

BG_INLINE bool Streams(int64_t size, const float* y) {
  return size >= kStreamingElements && reinterpret_cast<uintptr_t>(y) % 64 == 0;
}

// y[r, i] = make(r)(x0[r, i], ...): `make` prepares what a row needs (its channel's gate) once per block.
template <class Make, class... Inputs>
BG_INLINE void MapRows(int64_t rows, int64_t elements, const Make& make, float* y, const Inputs*... x) {
  const bool stream = rows == 1 && Streams(elements, y);
  ForEachBlock(RowBlocks(rows, elements), [&](int64_t row, int64_t begin, int64_t end, int64_t) {
    const auto f = make(row);
    if (stream) {
      MapBlock<true>(begin, end, f, y, x...);
    } else {
      MapBlock<false>(begin, end, f, y, x...);
    }
  });
}

// y[i] = f(x0[i], x1[i], ...)
template <class F, class... Inputs>
BG_INLINE void Map(int64_t size, const F& f, float* y, const Inputs*... x) {
  MapRows(
      1, size, [&](int64_t) { return f; }, y, x...);
}

// Sums with `kSums` accumulators beside an output: f(sums, x0[i], ...) adds to the Vec array `sums` and returns y[i].
// sums_out[block * kSums + k] receives each block's sums in double; blocks.count() blocks. Lanes past the end of a row
// enter f as zeros in every input, and f must add nothing for those: a sum of products with a gradient does.
template <int kSums, class Make, class... Inputs>
BG_INLINE void MapReduceRows(const RowBlocks& blocks, const Make& make, double* sums_out, float* y,
                             const Inputs*... x) {
  const bool stream = blocks.rows == 1 && Streams(blocks.elements, y);
  ForEachBlock(blocks, [&](int64_t row, int64_t begin, int64_t end, int64_t block) {
    const auto f = make(row);
    Vec sums[kSums];
    for (Vec& sum : sums) sum = Broadcast(0.0f);
    const auto g = [&](auto... v) __attribute__((always_inline)) { return f(sums, v...); };
    if (stream) {
      MapBlock<true>(begin, end, g, y, x...);
    } else {
      MapBlock<false>(begin, end, g, y, x...);
    }
    for (int k = 0; k < kSums; ++k) sums_out[block * kSums + k] = SumLanes(sums[k]);
  });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_MAP_H_
