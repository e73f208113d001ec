// Augmentation of training images: a random part of the image padded with zeros, and random mirroring.
#ifndef BITGATE_OPS_DATA_AUGMENT_MATH_H_
#define BITGATE_OPS_DATA_AUGMENT_MATH_H_

#include <cstdint>

#include "runtime/base/math.h"
#include "runtime/base/rng.h"

namespace bitgate {

// The random stream that augmentation draws from; the step of its key is the epoch, the index is the image's number.
constexpr uint32_t kAugmentStream = 0x4155474D;  // "AUGM"

// What may happen to images [height, width, channels] of at most 2^31 - 1 elements. As the papers' code has it: the
// image is padded with `pad` < height, width zeros on every side and a part as large as the image is cut out, each
// place equally likely; then, with `flip`, it is mirrored left to right or not, equally likely.
struct ImageAugmentation {
  int64_t height = 0, width = 0, channels = 0;
  int64_t pad = 0;
  bool flip = false;
  uint64_t seed = 0, epoch = 0;

  bool any() const { return pad > 0 || flip; }
};

// What does happen to one of them: element [y, x] of the part is [y + down, x + right] of the image, and then the part
// is mirrored, or not.
struct ImagePlacement {
  int32_t down = 0, right = 0;  // -pad to pad
  bool mirrored = false;
};

// A function of (seed, epoch, image) alone.
BG_HD_INLINE ImagePlacement DrawPlacement(const ImageAugmentation& augmentation, int64_t image) {
  const PhiloxBlock random =
      Philox(RandomKey{augmentation.seed, kAugmentStream, augmentation.epoch}, static_cast<uint32_t>(image));
  const uint64_t places =
      2 * static_cast<uint64_t>(augmentation.pad) + 1;  // of 2^32 words some get one more than others
  const int32_t pad = static_cast<int32_t>(augmentation.pad);
  return {static_cast<int32_t>(random.word[0] * places >> 32) - pad,
          static_cast<int32_t>(random.word[1] * places >> 32) - pad, augmentation.flip && random.word[2] >> 31 != 0};
}

// The element of the image that becomes element `element` of the result; -1: a zero of the padding.
BG_HD_INLINE int64_t SourceElement(const ImageAugmentation& augmentation, const ImagePlacement& placement,
                                   int64_t element) {
  const uint32_t channels = static_cast<uint32_t>(augmentation.channels);
  const int32_t height = static_cast<int32_t>(augmentation.height), width = static_cast<int32_t>(augmentation.width);
  const uint32_t pixel = static_cast<uint32_t>(element) / channels;
  const int32_t row = static_cast<int32_t>(pixel / static_cast<uint32_t>(width));
  const int32_t column = static_cast<int32_t>(pixel % static_cast<uint32_t>(width));
  const int32_t y = row + placement.down;
  const int32_t x = (placement.mirrored ? width - 1 - column : column) + placement.right;
  if (y < 0 || y >= height || x < 0 || x >= width) return -1;
  return (static_cast<int64_t>(y) * width + x) * channels + static_cast<uint32_t>(element) % channels;
}

}  // namespace bitgate

#endif  // BITGATE_OPS_DATA_AUGMENT_MATH_H_
