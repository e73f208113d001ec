#include <string.h>

#include <algorithm>

#include "ops/elementwise/pad_channels_kernels.h"
#include "runtime/base/thread_pool.h"

namespace bitgate {
namespace cpu {
namespace {

constexpr int64_t kGrainElements = 1 << 14;  // below it another thread costs more than it saves

}  // namespace

void PlaceChannels(KernelContext&, View y, ConstView x, int64_t rows, int64_t y_channels, int64_t x_channels,
                   int64_t offset) {
  if (rows * y_channels == 0) return;
  const int64_t begin = std::max<int64_t>(offset, 0), end = std::min(y_channels, x_channels + offset);
  const auto bytes = [](int64_t channels) { return static_cast<size_t>(channels) * sizeof(float); };
  ParallelFor(rows, 1 + kGrainElements / y_channels, [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r) {
      float* to = y.As() + r * y_channels;
      memset(to, 0, bytes(begin));
      if (begin < end) memcpy(to + begin, x.As() + r * x_channels + begin - offset, bytes(end - begin));
      memset(to + end, 0, bytes(y_channels - end));
    }
  });
}

}  // namespace cpu
}  // namespace bitgate
