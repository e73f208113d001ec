#include "ops/data/gather_images_kernels.h"
#include "ops/data/gather_images_math.h"

namespace bitgate {
namespace cpu {
namespace {

// raw(i) is that of element i.
template <class RawOf>
void Normalize(const RawOf& raw, const ImageTableViews& table, int64_t elements, float* out) {
  const float* mean = table.mean.As();
  const float* std = table.std.As();
  const int64_t channels = table.mean.shape[0];
  for (int64_t i = 0, channel = 0; i < elements; ++i) {
    out[i] = NormalizePixel(raw(i), table.scale, mean[channel], std[channel]);
    if (++channel == channels) channel = 0;
  }
}

template <class Raw>
void GatherImage(const ImageTableViews& table, const ImageAugmentation& augmentation, int64_t image, float* out) {
  const int64_t elements = table.pixels.shape[1];
  const Raw* raw = table.pixels.As<Raw>() + image * elements;
  if (!augmentation.any()) {
    Normalize([&](int64_t i) { return static_cast<float>(raw[i]); }, table, elements, out);
    return;
  }
  const ImagePlacement placement = DrawPlacement(augmentation, image);
  const auto augmented = [&](int64_t i) {
    const int64_t from = SourceElement(augmentation, placement, i);
    return from < 0 ? 0 : static_cast<float>(raw[from]);
  };
  Normalize(augmented, table, elements, out);
}

}  // namespace

void GatherImages(KernelContext&, View images, View labels, const ImageTableViews& table, ConstView order,
                  int64_t first, const ImageAugmentation& augmentation) {
  const int64_t elements = table.pixels.shape[1];
  for (int64_t row = 0; row < labels.shape[0]; ++row) {
    const int64_t source = order.data == nullptr ? first + row : order.As<int32_t>()[first + row];
    float* out = images.As() + row * elements;
    if (table.pixels.dtype == DType::kUint8) {
      GatherImage<uint8_t>(table, augmentation, source, out);
    } else {
      GatherImage<float>(table, augmentation, source, out);
    }
    labels.As<int32_t>()[row] = table.labels.As<int32_t>()[source];
  }
}

}  // namespace cpu
}  // namespace bitgate
