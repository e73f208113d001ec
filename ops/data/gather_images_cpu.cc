#include "ops/data/gather_images_kernels.h"
#include "ops/data/gather_images_math.h"

namespace bitgate {
namespace cpu {
namespace {

template <class Raw>
void Normalize(const Raw* raw, const ImageTableViews& table, int64_t elements, float* out) {
  const float* mean = table.mean.As();
  const float* std = table.std.As();
  const int64_t channels = table.mean.shape[0];
  for (int64_t i = 0, channel = 0; i < elements; ++i) {
    out[i] = NormalizePixel(static_cast<float>(raw[i]), table.scale, mean[channel], std[channel]);
    if (++channel == channels) channel = 0;
  }
}

}  // namespace

void GatherImages(KernelContext&, View images, View labels, const ImageTableViews& table, ConstView order,
                  int64_t first) {
  const int64_t elements = table.pixels.shape[1];
  for (int64_t row = 0; row < labels.shape[0]; ++row) {
    const int64_t source = order.data == nullptr ? first + row : order.As<int32_t>()[first + row];
    float* out = images.As() + row * elements;
    if (table.pixels.dtype == DType::kUint8) {
      Normalize(table.pixels.As<uint8_t>() + source * elements, table, elements, out);
    } else {
      Normalize(table.pixels.As<float>() + source * elements, table, elements, out);
    }
    labels.As<int32_t>()[row] = table.labels.As<int32_t>()[source];
  }
}

}  // namespace cpu
}  // namespace bitgate
