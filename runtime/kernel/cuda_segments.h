// How CUDA's loop drivers cut a matrix, and how threads do their part of it. For .cu files only.
//
// Rows are cut into segments; a team of threads does a segment: a block for long rows, part of a warp for short ones.
// Where segments begin, and which thread does which element of one in which order, depends on the sizes alone, so that
// sums are reproducible. A thread does four neighbours at a time, by vectors where all arrays are aligned to 16 bytes.
#ifndef BITGATE_RUNTIME_KERNEL_CUDA_SEGMENTS_H_
#define BITGATE_RUNTIME_KERNEL_CUDA_SEGMENTS_H_

#include <cuda_runtime.h>

#include <cstdint>

#include "runtime/base/math.h"
#include "runtime/kernel/cuda_pack.h"
#include "runtime/kernel/cuda_reduce.h"

namespace bitgate {
namespace cuda {

constexpr int kMapThreads = 256;
constexpr int kMapBlocksPerSm = 4;        // at least: 64 registers a thread
constexpr int64_t kFewBlocks = 1056;      // what a GPU of 132 multiprocessors wants to be given
constexpr int64_t kMaxSegment = 1 << 14;  // elements: float sums of a thread have 64 terms
constexpr int64_t kShortRow = 1 << 12;

struct Segments {
  int64_t rows, elements;  // the matrix
  int64_t length;          // elements of a segment; the last of a row may be shorter
  int64_t per_row, count;  // segments
  int team;                // threads that do a segment
  int rounds;              // segments that a team does, one after another
  int64_t blocks;          // of threads, at least 1
};

inline int64_t AtLeast(int64_t value, int64_t low) { return value < low ? low : value; }
inline int64_t AtMost(int64_t value, int64_t high) { return value > high ? high : value; }
inline int64_t Parts(int64_t whole, int64_t part) { return (whole + part - 1) / part; }

inline Segments CutIntoSegments(int64_t rows, int64_t elements) {
  Segments s{rows, elements, elements, 1, rows, kMapThreads, 1, rows};
  if (rows > 1 && elements <= kShortRow) {
    s.team = elements <= kWarp ? 8 : kWarp;
    const int64_t teams = kMapThreads / s.team;
    const int64_t most = AtLeast(kMaxSegment / (AtLeast(elements, 1) * teams), 1);
    s.rounds = static_cast<int>(AtMost(AtLeast(rows / (teams * kFewBlocks), 1), most));
    s.blocks = Parts(rows, teams * s.rounds);
  } else {
    const int64_t unit = 4 * kMapThreads;  // one vector a thread
    s.length = AtMost(AtLeast(Parts(rows * elements, kFewBlocks * unit), 1) * unit, kMaxSegment);
    s.per_row = AtLeast(Parts(elements, s.length), 1);
    s.blocks = s.count = rows * s.per_row;
  }
  s.blocks = AtLeast(s.blocks, 1);
  return s;
}

template <int kInputs>
struct MapArrays {
  float* y;
  const float* x[kInputs == 0 ? 1 : kInputs];
  bool aligned;  // all of them, to vectors
};

template <class... Inputs>
MapArrays<sizeof...(Inputs)> MakeMapArrays(float* y, const Inputs*... x) {
  return {y, {x...}, (IsAligned(y, sizeof(float4)) && ... && IsAligned(x, sizeof(float4)))};
}

// ---- on the device ----

// Elements [first, end) counted from base, which is a multiple of 4; 0 <= first < 4.
struct Segment {
  int64_t row, base;
  int first, end;
};

__device__ inline Segment SegmentOf(const Segments& s, int64_t index) {
  const int64_t row = s.per_row == 1 ? index : index / s.per_row;
  const int64_t offset = (index - row * s.per_row) * s.length;
  const int64_t left = s.elements - offset, begin = row * s.elements + offset;
  const int first = static_cast<int>(begin % 4);
  return {row, begin - first, first, first + static_cast<int>(left < s.length ? left : s.length)};
}

template <int kInputs, class F>
__device__ float CallElement(const F& f, int64_t i, const float* v) {
  static_assert(kInputs <= 4, "a map of more than four arrays");
  if constexpr (kInputs == 0) return f(i);
  if constexpr (kInputs == 1) return f(i, v[0]);
  if constexpr (kInputs == 2) return f(i, v[0], v[1]);
  if constexpr (kInputs == 3) return f(i, v[0], v[1], v[2]);
  if constexpr (kInputs == 4) return f(i, v[0], v[1], v[2], v[3]);
}

// kVectors vectors at `position`, position + stride and so on: all loads first, so that they are under way together.
template <int kVectors, int kInputs, class F>
__device__ void MapVectors(const MapArrays<kInputs>& a, int64_t position, int stride, const F& f) {
  float4 loaded[kVectors][kInputs == 0 ? 1 : kInputs];
  BG_UNROLL
  for (int u = 0; u < kVectors; ++u) {
    BG_UNROLL
    for (int k = 0; k < kInputs; ++k) {
      loaded[u][k] = *reinterpret_cast<const float4*>(a.x[k] + position + u * stride);
    }
  }
  BG_UNROLL
  for (int u = 0; u < kVectors; ++u) {
    float v[4][kInputs == 0 ? 1 : kInputs];
    BG_UNROLL
    for (int k = 0; k < kInputs; ++k) {
      v[0][k] = loaded[u][k].x, v[1][k] = loaded[u][k].y, v[2][k] = loaded[u][k].z, v[3][k] = loaded[u][k].w;
    }
    const int64_t i = position + u * stride;
    float4 y;
    y.x = CallElement<kInputs>(f, i, v[0]);
    y.y = CallElement<kInputs>(f, i + 1, v[1]);
    y.z = CallElement<kInputs>(f, i + 2, v[2]);
    y.w = CallElement<kInputs>(f, i + 3, v[3]);
    __stwb(reinterpret_cast<float4*>(a.y + i), y);  // one store: the compiler splits a plain one into four
  }
}

// y[i] = f(i, x0[i], ...) over a segment, by thread `lane` of a team of `team`.
template <int kInputs, class F>
__device__ void MapSegment(const MapArrays<kInputs>& a, const Segment& s, int lane, int team, const F& f) {
  constexpr int kVectors = kInputs < 2 ? 4 : 2;
  for (int p = 4 * lane; p < s.end;) {
    const bool whole = a.aligned && p >= s.first;
    if (whole && p + (kVectors - 1) * 4 * team + 4 <= s.end) {
      MapVectors<kVectors>(a, s.base + p, 4 * team, f);
      p += kVectors * 4 * team;
    } else if (whole && p + 4 <= s.end) {
      MapVectors<1>(a, s.base + p, 0, f);
      p += 4 * team;
    } else {
      for (int j = p < s.first ? s.first : p; j < p + 4 && j < s.end; ++j) {
        float v[kInputs == 0 ? 1 : kInputs];
        BG_UNROLL
        for (int k = 0; k < kInputs; ++k) v[k] = a.x[k][s.base + j];
        a.y[s.base + j] = CallElement<kInputs>(f, s.base + j, v);
      }
      p += 4 * team;
    }
  }
}

// body(segment, lane, team) for every segment of this thread, and done(row, lane, exists) after each round, called by
// all threads of the block alike. kTeam is s.team where that is a whole block, else 0.
template <int kTeam, class Body, class Done>
__device__ void ForEachSegment(const Segments& s, const Body& body, const Done& done) {
  if constexpr (kTeam == kMapThreads) {
    if (blockIdx.x < s.count) body(SegmentOf(s, blockIdx.x), static_cast<int>(threadIdx.x), kTeam);
  } else {
    const int teams = kMapThreads / s.team, lane = threadIdx.x % s.team;
    int64_t row = static_cast<int64_t>(blockIdx.x) * teams * s.rounds + threadIdx.x / s.team;
    for (int round = 0; round < s.rounds; ++round, row += teams) {
      if (row < s.count) body(SegmentOf(s, row), lane, s.team);
      done(row, lane, row < s.count);
    }
  }
}

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_KERNEL_CUDA_SEGMENTS_H_
