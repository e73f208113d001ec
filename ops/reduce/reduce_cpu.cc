#include <string.h>

#include "ops/reduce/reduce_kernels.h"
#include "runtime/kernel/map.h"

namespace bitgate {
namespace cpu {
namespace BG_ISA {
namespace {

// sums[j] += x[j]: the compiler's vectors are as wide as the instruction set's, the sums in lane order everywhere.
BG_INLINE void AddLanes(double* sums, const float* x) {
  for (int j = 0; j < kLanes; ++j) sums[j] += x[j];
}

BG_INLINE double SumBlock(const float* x, int64_t size) {
  double lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) AddLanes(lanes, x + i);
  for (int j = 0; i < size; ++i, ++j) lanes[j] += x[i];
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

BG_INLINE void AddRow(double* sums, const float* row, int64_t columns) {
  int64_t c = 0;
  for (; c + kLanes <= columns; c += kLanes) AddLanes(sums + c, row + c);
  for (; c < columns; ++c) sums[c] += row[c];
}

}  // namespace

void Sum(KernelContext& context, View y, ConstView x, int64_t size, double divisor) {
  const RowBlocks blocks(1, size);
  double* sums = static_cast<double*>(context.workspace.Get(sizeof(double) * blocks.count()));
  ForEachBlock(blocks, [&](int64_t, int64_t begin, int64_t end, int64_t block) {
    sums[block] = SumBlock(x.As() + begin, end - begin);
  });
  double sum = 0;
  for (int64_t block = 0; block < blocks.count(); ++block) sum += sums[block];
  y.As()[0] = static_cast<float>(sum / divisor);
}

void Fill(KernelContext&, View y, ConstView value, int64_t size, double divisor) {
  const Vec values = Broadcast(static_cast<float>(value.As()[0] / divisor));
  Map(
      size, [=]() __attribute__((always_inline)) { return values; }, y.As());
}

void SumRows(KernelContext& context, View y, ConstView x, int64_t rows, int64_t columns) {
  const int64_t rows_per_block = columns < kBlock ? kBlock / columns : 1;
  // Partial sums take a double per column, so a tall narrow block of many rows is worth it and a wide one is not.
  const int64_t block_rows = rows_per_block < 16 ? 16 : rows_per_block;
  const int64_t blocks = (rows + block_rows - 1) / block_rows;
  double* partial = static_cast<double*>(context.workspace.Get(sizeof(double) * (blocks * columns + 1)));
  ParallelFor(blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
      double* sums = partial + block * columns;
      memset(sums, 0, sizeof(double) * columns);
      const int64_t begin = block * block_rows;
      const int64_t end = begin + block_rows < rows ? begin + block_rows : rows;
      for (int64_t r = begin; r < end; ++r) AddRow(sums, x.As() + r * columns, columns);
    }
  });
  for (int64_t c = 0; c < columns; ++c) {
    double sum = 0;
    for (int64_t block = 0; block < blocks; ++block) sum += partial[block * columns + c];
    y.As()[c] = static_cast<float>(sum);
  }
}

void RepeatRow(KernelContext&, View y, ConstView row, int64_t rows, int64_t columns) {
  ParallelFor(rows, 1 + kBlock / columns, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) memcpy(y.As() + r * columns, row.As(), sizeof(float) * columns);
  });
}

}  // namespace BG_ISA
}  // namespace cpu
}  // namespace bitgate
