// A matrix by its channels on the CPU: what does the same to every row, and sums over rows. For sources built through
// bg_isa_library only.
#ifndef BITGATE_OPS_NORM_CHANNELS_CPU_H_
#define BITGATE_OPS_NORM_CHANNELS_CPU_H_

#include <string.h>

#include "ops/elementwise/elementwise_math.h"
#include "ops/norm/norm_math.h"
#include "runtime/device/kernel_context.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {

constexpr int64_t kWideRow = 128;
constexpr int64_t kSumBlock = 16384;  // elements that a block of partial sums is for, at least
constexpr int64_t kFloatRows = 16;    // wide rows whose terms are summed in float32, before their sum goes on in double

// The matrix as rows of `width`: several of the given ones where those are narrow, so that loops over a row are long.
struct WideRows {
  int64_t channels, size, width, count;

  BG_INLINE WideRows(int64_t rows, int64_t channels) : channels(channels), size(rows * channels), width(channels) {
    if (channels < kWideRow) width = kWideRow / channels * channels;
    count = (size + width - 1) / width;
  }
  // The elements of wide row r: the last may be shorter.
  BG_INLINE int64_t Length(int64_t r) const { return r + 1 < count ? width : size - r * width; }
  BG_INLINE int64_t grain() const { return 1 + 2 * kBlock / width; }
};

// Scratch memory: arrays of a wide row each, and doubles behind them.
struct Scratch {
  float* wide;
  double* sums;

  BG_INLINE Scratch(KernelContext& context, const WideRows& rows, int arrays, int64_t sums_count) {
    const size_t bytes = (sizeof(float) * arrays * rows.width + 63) / 64 * 64;
    char* memory = static_cast<char*>(context.workspace.Get(bytes + sizeof(double) * sums_count));
    wide = reinterpret_cast<float*>(memory);
    sums = reinterpret_cast<double*>(memory + bytes);
  }
};

// value to array[channel], array[channel + channels] and so on.
BG_INLINE void Repeat(const WideRows& rows, int64_t channel, float value, float* array) {
  for (int64_t i = channel; i < rows.width; i += rows.channels) array[i] = value;
}

// f(i, n) for n elements from i on, 16 but at the end.
template <class F>
BG_INLINE void ForEachVector(int64_t length, const F& f) {
  int64_t i = 0;
  for (; i + kLanes <= length; i += kLanes) f(i, kLanes);
  if (i < length) f(i, static_cast<int>(length - i));
}

BG_INLINE Vec LoadSome(const float* p, int count) { return count == kLanes ? Load(p) : LoadFirst(p, count); }
BG_INLINE void StoreSome(Vec v, float* p, int count) {
  if (count == kLanes) {
    Store(v, p);
  } else {
    StoreFirst(v, p, count);
  }
}

// y = slope (x - mean) + shift, then the activation; lines [3, width].
BG_INLINE void MapLines(const WideRows& rows, const float* x, const float* lines, bool relu, float* y) {
  const float *mean = lines, *slope = lines + rows.width, *shift = lines + 2 * rows.width;
  ParallelFor(rows.count, rows.grain(), [&](int64_t first, int64_t last) {
    const Vec zero = Broadcast(0.0f);
    for (int64_t r = first; r < last; ++r) {
      const float* from = x + r * rows.width;
      float* to = y + r * rows.width;
      ForEachVector(
          rows.Length(r), [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec value =
                OnLine(LoadSome(from + i, n), LoadSome(mean + i, n), LoadSome(slope + i, n), LoadSome(shift + i, n));
            StoreSome(relu ? ReluValue(value, zero) : value, to + i, n);
          });
    }
  });
}

// Adds the terms of wide rows [first, last), of which only the matrix's last is shorter than the others.
template <class Terms>
BG_INLINE void SumGroup(const WideRows& rows, int64_t first, int64_t last, const Terms& terms, double* sums) {
  const int64_t width = rows.width, shared = rows.Length(last - 1);
  int64_t i = 0;
  for (; i + kLanes <= shared; i += kLanes) {
    float some[kLanes] = {}, others[kLanes] = {};
    for (int64_t r = first; r < last; ++r) {
      for (int j = 0; j < kLanes; ++j) terms(r * width, i + j, some[j], others[j]);
    }
    for (int j = 0; j < kLanes; ++j) {
      sums[i + j] += static_cast<double>(some[j]);
      sums[width + i + j] += static_cast<double>(others[j]);
    }
  }
  for (; i < width; ++i) {
    float some = 0, others = 0;
    for (int64_t r = first; r < last; ++r) {
      if (i < rows.Length(r)) terms(r * width, i, some, others);
    }
    sums[i] += static_cast<double>(some);
    sums[width + i] += static_cast<double>(others);
  }
}

// Two sums of each channel over all rows: terms(begin, i, sum, sum) adds what is at place i of the wide row that begins
// at `begin`, in float32, for a few rows; their sums go on in double. finish(channel, sum, sum). Loops of 16 are the
// compiler's to turn into vectors, which changes no bit. What is to be done to the elements in the same pass,
// map(begin, length) does to a wide row before.
template <class MapRow, class Terms, class Finish>
BG_INLINE void MapAndSumChannels(const WideRows& rows, double* partial, const MapRow& map, const Terms& terms,
                                 const Finish& finish) {
  const int64_t block_rows = (kSumBlock + rows.width - 1) / rows.width;
  const int64_t blocks = (rows.count + block_rows - 1) / block_rows;
  const int64_t width = rows.width;
  ParallelFor(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      double* sums = partial + block * 2 * width;
      memset(sums, 0, sizeof(double) * 2 * width);
      const int64_t end = (block + 1) * block_rows < rows.count ? (block + 1) * block_rows : rows.count;
      for (int64_t group = block * block_rows; group < end; group += kFloatRows) {
        const int64_t group_end = group + kFloatRows < end ? group + kFloatRows : end;
        for (int64_t r = group; r < group_end; ++r) map(r * width, rows.Length(r));
        SumGroup(rows, group, group_end, terms, sums);
      }
    }
  });
  ParallelFor(rows.channels, 1 + kBlock / (blocks * width / rows.channels + 1), [&](int64_t first, int64_t last) {
    for (int64_t c = first; c < last; ++c) {
      double sums[2] = {0, 0};
      for (int64_t block = 0; block < blocks; ++block) {
        const double* of_block = partial + block * 2 * width;
        for (int64_t i = c; i < width; i += rows.channels) sums[0] += of_block[i], sums[1] += of_block[width + i];
      }
      finish(c, sums[0], sums[1]);
    }
  });
}

template <class Terms, class Finish>
BG_INLINE void SumChannels(const WideRows& rows, double* partial, const Terms& terms, const Finish& finish) {
  MapAndSumChannels(rows, partial, [](int64_t, int64_t) __attribute__((always_inline)){}, terms, finish);
}

// Of partial sums that SumChannels needs.
BG_INLINE int64_t SumsCount(const WideRows& rows) {
  const int64_t block_rows = (kSumBlock + rows.width - 1) / rows.width;
  return 2 * rows.width * ((rows.count + block_rows - 1) / block_rows);
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate

#endif  // BITGATE_OPS_NORM_CHANNELS_CPU_H_
