#include "ops/data/gather_images.h"

#include <algorithm>
#include <limits>

#include "ops/data/gather_images_kernels.h"
#include "ops/operand.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"

namespace bitgate {
namespace {

constexpr const char* kOp = "gather_images";

void CheckTable(Context& context, const ImageTable& table) {
  const bool bytes = table.pixels.defined() && table.pixels.dtype() == DType::kUint8;
  CheckOperand(context, kOp, "pixels", table.pixels, 2, bytes ? DType::kUint8 : DType::kFloat32);
  CheckOperandShape(context, kOp, "the table's labels", table.labels, {table.pixels.shape()[0]}, DType::kInt32);
  CheckOperand(context, kOp, "mean", table.mean, 1);
  CheckOperandShape(context, kOp, "std", table.std, table.mean.shape());
  if (table.mean.size() < 1) throw InvalidArgument(kOp, ": expected a mean of at least one channel, got none");
}

void CheckAugmentation(const ImageAugmentation& augmentation, int64_t elements) {
  if (!augmentation.any()) return;
  if (elements > std::numeric_limits<int32_t>::max()) {
    throw InvalidArgument(kOp, ": expected images of at most 2147483647 elements to augment, got ", elements);
  }
  const int64_t height = augmentation.height, width = augmentation.width, channels = augmentation.channels;
  const bool fits = std::min({height, width, channels}) > 0 && std::max({height, width, channels}) <= elements &&
                    height * width <= elements && height * width * channels == elements;
  if (!fits) {
    throw InvalidArgument(kOp, ": expected images of ", elements, " elements to augment, got ", height, "x", width, "x",
                          channels);
  }
  if (augmentation.pad < 0 || augmentation.pad >= std::min(height, width)) {
    throw InvalidArgument(kOp, ": expected a pad of at least 0 and less than ", std::min(height, width), ", got ",
                          augmentation.pad);
  }
}

}  // namespace

void GatherImages(Context& context, const ImageTable& table, const Tensor& order, int64_t first, const Tensor& images,
                  const Tensor& labels, const ImageAugmentation& augmentation) {
  CheckTable(context, table);
  CheckAugmentation(augmentation, table.pixels.shape()[1]);
  CheckOperand(context, kOp, "labels", labels, 1, DType::kInt32);
  CheckOperand(context, kOp, "images", images);
  const int64_t count = labels.size(), elements = table.pixels.shape()[1];
  if (images.shape().rank() < 1 || images.shape()[0] != count || images.size() != count * elements) {
    throw InvalidArgument(kOp, ": expected images of ", count, " rows of ", elements, " values, got shape ",
                          images.shape());
  }
  if (order.defined()) CheckOperand(context, kOp, "order", order, 1, DType::kInt32);
  const int64_t length = order.defined() ? order.size() : table.pixels.shape()[0];
  if (first < 0 || first > length || count > length - first) {
    throw InvalidArgument(kOp, ": expected places within an order of ", length, ", got ", count, " from ", first);
  }
  constexpr KernelTable<decltype(cpu::GatherImages)> kKernels{&cpu::GatherImages, BG_CUDA_KERNEL(GatherImages)};
  kKernels.For(context.device(), kOp)(
      context.kernel(), images.view(), labels.view(),
      {table.pixels.view(), table.labels.view(), table.scale, table.mean.view(), table.std.view()}, order.view(), first,
      augmentation);
}

}  // namespace bitgate
