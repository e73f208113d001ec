// A loader's batch where the network can use it.
#ifndef BITGATE_MODELS_TRAIN_DEVICE_BATCH_H_
#define BITGATE_MODELS_TRAIN_DEVICE_BATCH_H_

#include "models/data/loader.h"
#include "models/graph/dims.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// On the CPU it borrows the batch's memory, on another device it is a copy. It lives no longer than the batch, and
// neither do values on a tape that came from it.
class DeviceBatch {
 public:
  // `image` is the shape of one image as the network wants it.
  DeviceBatch(Context& context, const Dims& image, const Batch& batch);

  const Tensor& images() const { return images_; }  // [size, ...image], float32
  const Tensor& labels() const { return labels_; }  // [size], int32

 private:
  Tensor images_, labels_;
};

// The value of a float32 tensor of one element.
float ScalarOf(Context& context, const Tensor& tensor);

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_DEVICE_BATCH_H_
