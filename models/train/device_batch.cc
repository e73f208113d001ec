#include "models/train/device_batch.h"

#include <vector>

#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

Tensor OnDevice(Context& context, const void* data, const Shape& shape, DType dtype) {
  if (context.device().type != DeviceType::kCpu) return FromHostBytes(context, data, shape, dtype);
  return BorrowTensor(const_cast<void*>(data), shape, dtype, context.device());  // inputs of ops are only read
}

}  // namespace

DeviceBatch::DeviceBatch(Context& context, const Dims& image, const Batch& batch) {
  std::vector<int64_t> shape = {batch.size};
  shape.insert(shape.end(), image.begin(), image.end());
  images_ = OnDevice(context, batch.images.data(), Shape(shape), DType::kFloat32);
  labels_ = OnDevice(context, batch.labels.data(), {batch.size}, DType::kInt32);
}

float ScalarOf(Context& context, const Tensor& tensor) { return ToHost<float>(context, tensor).at(0); }

}  // namespace bitgate
