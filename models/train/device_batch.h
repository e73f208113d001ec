// A batch where the network can use it.
#ifndef BITGATE_MODELS_TRAIN_DEVICE_BATCH_H_
#define BITGATE_MODELS_TRAIN_DEVICE_BATCH_H_

#include <cstdint>
#include <utility>

#include "runtime/tensor/tensor.h"

namespace bitgate {

// What a Feeder hands out.
class DeviceBatch {
 public:
  DeviceBatch() = default;
  // The size is that of the labels.
  DeviceBatch(Tensor images, Tensor labels, int64_t index, int buffer)
      : images_(std::move(images)), labels_(std::move(labels)), index_(index), buffer_(buffer) {}

  const Tensor& images() const { return images_; }  // [size, ...image], float32
  const Tensor& labels() const { return labels_; }  // [size], int32
  int64_t size() const { return labels_.size(); }
  int64_t index() const { return index_; }  // within its epoch, from 0
  int buffer() const { return buffer_; }    // which of the feeder's: equal size and buffer are equal addresses on a GPU

 private:
  Tensor images_, labels_;
  int64_t index_ = 0;
  int buffer_ = 0;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_DEVICE_BATCH_H_
