// Batches of images that stay on the device.
#ifndef BITGATE_OPS_DATA_GATHER_IMAGES_H_
#define BITGATE_OPS_DATA_GATHER_IMAGES_H_

#include <cstdint>

#include "ops/data/augment_math.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// Labelled images as they came from a file, and what makes a network's input of them.
struct ImageTable {
  Tensor pixels;  // [n, elements], uint8 or float32
  Tensor labels;  // [n], int32
  float scale = 1;
  Tensor mean, std;  // [channels], float32: mean[i % channels] is that of element i of every image
};

// images[k] = (pixels[order[first + k]] * scale - mean) / std, labels[k] = table.labels[order[first + k]], for as many
// k as there are labels. images: float32 [k, ...] with `elements` values a row; labels: int32 [k]; both are overwritten
// and overlap no operand. order: int32 [any], its values in [0, n), which is not checked; undefined for 0, 1, 2, ...
// Nothing is recorded. The bits are the same on every device. Throws InvalidArgument where sizes do not fit.
//
// Where `augmentation` does anything, its height, width and channels are those of the images, and it acts on the raw
// pixels, as a function of the image's number in the table: what it pads with becomes (0 - mean) / std.
void GatherImages(Context& context, const ImageTable& table, const Tensor& order, int64_t first, const Tensor& images,
                  const Tensor& labels, const ImageAugmentation& augmentation = {});

}  // namespace bitgate

#endif  // BITGATE_OPS_DATA_GATHER_IMAGES_H_
