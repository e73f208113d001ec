// Raw pixels to what a network sees: value = (raw * scale - mean[channel]) / std[channel], in float32.
#ifndef BITGATE_MODELS_DATA_PREPROCESS_H_
#define BITGATE_MODELS_DATA_PREPROCESS_H_

#include <cstdint>
#include <vector>

#include "models/data/dataset.h"

namespace bitgate {

// `mean` and `std` are empty (the step is left out), hold one value for all of the image, or one per channel; where the
// network takes the image as a flat vector, one per feature instead. They are in units of the scaled pixels: with scale
// = 1/255 those of [0, 1]. The same fields as a graph's `preprocessing`, which whoever joins graph and data copies
// here.
struct PreprocessingOptions {
  double scale = 1;
  std::vector<double> mean, std;
  bool flat = false;  // channel c of the formulas is element c of the image in its order in memory
};

// Preprocessing checked against an image shape. The order of computation is fixed, so that every front door and every
// exported model gives the same bits: float(raw) * float(scale), rounded; minus float(mean[c]) if mean is given,
// rounded; divided by float(std[c]) if std is given, rounded (ops/data/gather_images_math.h, which a GPU's batches
// share).
class Preprocessor {
 public:
  // Throws InvalidArgument when a value is not finite, std is not positive, or a count does not fit the channels (flat:
  // the elements) of the image.
  Preprocessor(const PreprocessingOptions& preprocessing, const ImageShape& image_shape);

  const ImageShape& image_shape() const { return image_shape_; }
  float scale() const { return scale_; }
  // Those of element i of an image are at i % their count; 0 and 1 where none are given.
  const std::vector<float>& mean() const { return mean_; }
  const std::vector<float>& std() const { return std_; }

  // `raw` and `out` hold one image each, image_shape().elements() values, and do not overlap.
  void Image(const uint8_t* raw, float* out) const;
  void Image(const float* raw, float* out) const;

 private:
  template <class Raw>
  void Compute(const Raw* raw, float* out) const;

  ImageShape image_shape_;
  float scale_;
  int64_t channels_;               // values of mean_ and std_, which take turns along an image; 1 if all are the same
  std::vector<float> mean_, std_;  // [channels]
  std::vector<float> table_;       // [channels, 256]: the value of every byte; empty if that would be large
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_PREPROCESS_H_
