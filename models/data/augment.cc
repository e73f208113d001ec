#include "models/data/augment.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <variant>
#include <vector>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

// As SourceElement has it, by rows: what is not written of `out` is padding.
template <class Raw>
void Place(const ImageAugmentation& augmentation, const ImagePlacement& placement, const Raw* raw, Raw* out) {
  const int64_t height = augmentation.height, width = augmentation.width, channels = augmentation.channels;
  const int64_t down = placement.down, right = placement.right;
  const int64_t left = std::max<int64_t>(0, -right), end = std::min(width, width - right);  // columns from the image
  for (int64_t y = std::max<int64_t>(0, -down); y < std::min(height, height - down); ++y) {
    const Raw* from = raw + ((y + down) * width + left + right) * channels;
    Raw* row = out + y * width * channels;
    if (!placement.mirrored) {
      std::copy_n(from, (end - left) * channels, row + left * channels);
      continue;
    }
    for (int64_t x = left; x < end; ++x, from += channels)
      std::copy_n(from, channels, row + (width - 1 - x) * channels);
  }
}

}  // namespace

ImageAugmentation AugmentationOf(const LoaderOptions& options, const ImageShape& image_shape) {
  const AugmentationOptions& asked = options.augmentation;
  const int64_t size = std::min(image_shape.height, image_shape.width);
  if (asked.pad < 0 || asked.pad >= size) {
    throw InvalidArgument("augmentation: expected pad from 0 to ", size - 1, " for images of ", image_shape, ", got ",
                          asked.pad);
  }
  if (asked.any() && image_shape.elements() > std::numeric_limits<int32_t>::max()) {
    throw InvalidArgument("augmentation: expected images of at most 2147483647 values, got ", image_shape);
  }
  return {image_shape.height, image_shape.width, image_shape.channels, asked.pad, asked.flip, options.seed, 0};
}

int32_t AugmentedSource::Read(int64_t index, int64_t epoch, float* image) const {
  ImageAugmentation augmentation = augmentation_;
  augmentation.epoch = static_cast<uint64_t>(epoch);
  const ImagePlacement placement = DrawPlacement(augmentation, index);
  const int64_t elements = dataset_.image_shape().elements();
  std::visit(
      [&](const auto& pixels) {
        std::decay_t<decltype(pixels)> placed(elements);
        Place(augmentation, placement, pixels.data() + index * elements, placed.data());
        preprocessor_.Image(placed.data(), image);
      },
      dataset_.pixels());
  return dataset_.labels()[index];
}

}  // namespace bitgate
