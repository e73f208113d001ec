// A data set whose images are augmented anew in every epoch.
#ifndef BITGATE_MODELS_DATA_AUGMENT_H_
#define BITGATE_MODELS_DATA_AUGMENT_H_

#include <cstdint>

#include "models/data/batching.h"
#include "models/data/dataset.h"
#include "models/data/preprocess.h"
#include "models/data/source.h"
#include "ops/data/augment_math.h"

namespace bitgate {

// What `options` say about images of this shape; of epoch 0. Throws InvalidArgument unless pad is at least 0 and less
// than their height and width.
ImageAugmentation AugmentationOf(const LoaderOptions& options, const ImageShape& image_shape);

// A dataset in memory: augmented, then preprocessed.
class AugmentedSource : public Source {
 public:
  // Throws what AugmentationOf and Preprocessor throw.
  AugmentedSource(const Dataset& dataset, const PreprocessingOptions& preprocessing, const LoaderOptions& options)
      : dataset_(dataset),
        preprocessor_(preprocessing, dataset.image_shape()),
        augmentation_(AugmentationOf(options, dataset.image_shape())) {}

  int64_t size() const override { return dataset_.size(); }
  ImageShape image_shape() const override { return dataset_.image_shape(); }
  int32_t Read(int64_t index, int64_t epoch, float* image) const override;

 private:
  Dataset dataset_;
  Preprocessor preprocessor_;
  ImageAugmentation augmentation_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_AUGMENT_H_
