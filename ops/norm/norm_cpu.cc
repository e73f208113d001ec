#include <string.h>

#include "ops/elementwise/elementwise_math.h"
#include "ops/norm/norm_kernels.h"
#include "ops/norm/norm_math.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

constexpr int64_t kWideRow = 128;
constexpr int64_t kSumBlock = 16384;  // elements that a block of partial sums is for, at least

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

// Two sums of each channel over all rows: terms(begin, i, sum, sum) adds what is at place i of the wide row that begins
// at `begin`; finish(channel, sum, sum). Loops of 16 are the compiler's to turn into vectors, which changes no bit.
template <class Terms, class Finish>
BG_INLINE void SumChannels(const WideRows& rows, double* partial, const Terms& terms, const Finish& finish) {
  const int64_t block_rows = (kSumBlock + rows.width - 1) / rows.width;
  const int64_t blocks = (rows.count + block_rows - 1) / block_rows;
  const int64_t width = rows.width;
  ParallelFor(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      double* sums = partial + block * 2 * width;
      memset(sums, 0, sizeof(double) * 2 * width);
      const int64_t end = (block + 1) * block_rows < rows.count ? (block + 1) * block_rows : rows.count;
      for (int64_t r = block * block_rows; r < end; ++r) {
        const int64_t length = rows.Length(r), begin = r * width;
        int64_t i = 0;
        for (; i + kLanes <= length; i += kLanes) {
          for (int j = 0; j < kLanes; ++j) terms(begin, i + j, sums[i + j], sums[width + i + j]);
        }
        for (; i < length; ++i) terms(begin, i, sums[i], sums[width + i]);
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

BG_INLINE int64_t SumsCount(const WideRows& rows) {
  const int64_t block_rows = (kSumBlock + rows.width - 1) / rows.width;
  return 2 * rows.width * ((rows.count + block_rows - 1) / block_rows);
}

}  // namespace

void ChannelStatistics(KernelContext& context, View mean, View variance, View running_mean, View running_variance,
                       ConstView x, float momentum, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 1, SumsCount(rows));
  for (int64_t c = 0; c < channels; ++c) Repeat(rows, c, x.As()[c], scratch.wide);
  const float *values = x.As(), *shift = scratch.wide;
  SumChannels(
      rows, scratch.sums,
      [=](int64_t begin, int64_t i, double& sum, double& squares) __attribute__((always_inline)) {
        const double moved = static_cast<double>(values[begin + i]) - static_cast<double>(shift[i]);
        sum += moved;
        squares += moved * moved;
      },
      [&](int64_t c, double sum, double squares) __attribute__((always_inline)) {
        const ChannelMoments moments(sum, squares, values[c], row_count);
        mean.As()[c] = moments.mean;
        variance.As()[c] = moments.variance;
        if (running_mean.data == nullptr) return;
        running_mean.As()[c] = Running(running_mean.As()[c], moments.mean, momentum);
        running_variance.As()[c] =
            Running(running_variance.As()[c], UnbiasedVariance(moments.variance, row_count), momentum);
      });
}

void ChannelStatisticsBackward(KernelContext& context, View grad_x, ConstView grad_mean, ConstView grad_variance,
                               ConstView x, ConstView mean, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 3, 0);
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelLine line = StatisticsGradientLine(mean.As()[c], grad_mean.As()[c], grad_variance.As()[c], row_count);
    Repeat(rows, c, line.mean, scratch.wide);
    Repeat(rows, c, line.slope, scratch.wide + rows.width);
    Repeat(rows, c, line.shift, scratch.wide + 2 * rows.width);
  }
  MapLines(rows, x.As(), scratch.wide, /*relu=*/false, grad_x.As());
}

void BatchNormForward(KernelContext& context, View y, ConstView x, ConstView mean, ConstView variance, ConstView gamma,
                      ConstView beta, float epsilon, bool relu, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 3, 0);
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelLine line = NormLine(mean.As()[c], variance.As()[c], gamma.As()[c], beta.As()[c], epsilon);
    Repeat(rows, c, line.mean, scratch.wide);
    Repeat(rows, c, line.slope, scratch.wide + rows.width);
    Repeat(rows, c, line.shift, scratch.wide + 2 * rows.width);
  }
  MapLines(rows, x.As(), scratch.wide, relu, y.As());
}

void BatchNormBackwardChannels(KernelContext& context, View grad_gamma, View grad_beta, ConstView grad_y, ConstView x,
                               ConstView mean, ConstView variance, float epsilon, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 2, SumsCount(rows));
  float *means = scratch.wide, *inverses = scratch.wide + rows.width;
  for (int64_t c = 0; c < channels; ++c) {
    Repeat(rows, c, mean.As()[c], means);
    Repeat(rows, c, InverseDeviation(variance.As()[c], epsilon), inverses);
  }
  const float *values = x.As(), *gradients = grad_y.As();
  SumChannels(
      rows, scratch.sums,
      [=](int64_t begin, int64_t i, double& sum, double& products) __attribute__((always_inline)) {
        const double gradient = static_cast<double>(gradients[begin + i]);
        sum += gradient;
        products += gradient * static_cast<double>((values[begin + i] - means[i]) * inverses[i]);
      },
      [&](int64_t c, double sum, double products) __attribute__((always_inline)) {
        grad_beta.As()[c] = static_cast<float>(sum);
        grad_gamma.As()[c] = static_cast<float>(products);
      });
}

void BatchNormBackwardData(KernelContext& context, View grad_x, ConstView grad_y, ConstView x, ConstView mean,
                           ConstView variance, ConstView gamma, ConstView grad_gamma, ConstView grad_beta,
                           float epsilon, int64_t row_count, int64_t channels) {
  const WideRows rows(row_count, channels);
  const Scratch scratch(context, rows, 4, 0);
  float *slopes = scratch.wide, *means = slopes + rows.width, *line_slopes = means + rows.width,
        *line_shifts = line_slopes + rows.width;
  const bool constant = grad_gamma.data == nullptr;
  for (int64_t c = 0; c < channels; ++c) {
    const ChannelGradient gradient =
        NormGradient(mean.As()[c], variance.As()[c], gamma.As()[c], constant ? 0.0f : grad_gamma.As()[c],
                     constant ? 0.0f : grad_beta.As()[c], epsilon, row_count);
    Repeat(rows, c, gradient.slope, slopes);
    Repeat(rows, c, gradient.line.mean, means);
    Repeat(rows, c, gradient.line.slope, line_slopes);
    Repeat(rows, c, gradient.line.shift, line_shifts);
  }
  ParallelFor(rows.count, rows.grain(), [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      const float *from = x.As() + r * rows.width, *gradients = grad_y.As() + r * rows.width;
      float* to = grad_x.As() + r * rows.width;
      ForEachVector(
          rows.Length(r), [&](int64_t i, int n) __attribute__((always_inline)) {
            const Vec gradient = LoadSome(gradients + i, n), slope = LoadSome(slopes + i, n);
            const Vec value = constant ? slope * gradient
                                       : NormGradientOf(gradient, LoadSome(from + i, n), slope, LoadSome(means + i, n),
                                                        LoadSome(line_slopes + i, n), LoadSome(line_shifts + i, n));
            StoreSome(value, to + i, n);
          });
    }
  });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
