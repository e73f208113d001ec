// What a loader reads: images by index, ready for the network.
//
// The seam for what is not a plain array: a folder of encoded images is one more class, as augmentation is (augment.h),
// and leaves the loader as it is.
#ifndef BITGATE_MODELS_DATA_SOURCE_H_
#define BITGATE_MODELS_DATA_SOURCE_H_

#include <cstdint>

#include "models/data/dataset.h"
#include "models/data/preprocess.h"

namespace bitgate {

class Source {
 public:
  virtual ~Source() = default;

  virtual int64_t size() const = 0;            // images, 1 .. 2^31 - 1
  virtual ImageShape image_shape() const = 0;  // of what Read writes
  // Writes image `index` as image_shape().elements() float32 values and returns its label. A pure function of (index,
  // epoch): whatever is random about an image is keyed by a seed, the epoch and the index, so that a resumed epoch
  // sees the same images. Throws Error. Called from the loader's thread.
  virtual int32_t Read(int64_t index, int64_t epoch, float* image) const = 0;
};

// A dataset in memory, preprocessed; the same in every epoch.
class DatasetSource : public Source {
 public:
  DatasetSource(const Dataset& dataset, const PreprocessingOptions& preprocessing)
      : dataset_(dataset), preprocessor_(preprocessing, dataset.image_shape()) {}

  int64_t size() const override { return dataset_.size(); }
  ImageShape image_shape() const override { return dataset_.image_shape(); }
  int32_t Read(int64_t index, int64_t epoch, float* image) const override;

 private:
  Dataset dataset_;
  Preprocessor preprocessor_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_SOURCE_H_
