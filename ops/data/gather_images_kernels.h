// Kernels of ops/data/gather_images.h. Views are contiguous and their shapes fit.
#ifndef BITGATE_OPS_DATA_GATHER_IMAGES_KERNELS_H_
#define BITGATE_OPS_DATA_GATHER_IMAGES_KERNELS_H_

#include "ops/data/augment_math.h"
#include "runtime/device/kernel_context.h"
#include "runtime/tensor/view.h"

namespace bitgate {

struct ImageTableViews {
  ConstView pixels, labels;  // [n, elements] uint8 or float32; [n] int32
  float scale;
  ConstView mean, std;  // [channels]
};

namespace cpu {

// images [k, elements in all], labels [k]; order may be absent.
void GatherImages(KernelContext& context, View images, View labels, const ImageTableViews& table, ConstView order,
                  int64_t first, const ImageAugmentation& augmentation);

}  // namespace cpu

namespace cuda {

void GatherImages(KernelContext& context, View images, View labels, const ImageTableViews& table, ConstView order,
                  int64_t first, const ImageAugmentation& augmentation);

}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_OPS_DATA_GATHER_IMAGES_KERNELS_H_
