// Labelled images in memory.
//
// A Dataset is a cheap handle: copies share the same immutable pixels and labels, and may be read by several threads.
#ifndef BITGATE_MODELS_DATA_DATASET_H_
#define BITGATE_MODELS_DATA_DATASET_H_

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace bitgate {

enum class Split { kTrain, kTest };

struct ImageShape {
  int64_t height = 0, width = 0, channels = 0;

  int64_t elements() const { return height * width * channels; }
  bool operator==(const ImageShape& other) const {
    return height == other.height && width == other.width && channels == other.channels;
  }
  bool operator!=(const ImageShape& other) const { return !(*this == other); }
};

// "28x28x1": height, width, channels.
std::ostream& operator<<(std::ostream& out, const ImageShape& shape);

class Dataset {
 public:
  // All images one after another, each height x width x channels (NHWC), raw: preprocessing happens when batches are
  // made.
  using Pixels = std::variant<std::vector<uint8_t>, std::vector<float>>;

  // Takes copies of the arrays (or the arrays themselves, moved in). With `num_classes` = 0 the count is one more than
  // the largest label. Throws InvalidArgument for an empty set, more than 2^31 - 1 images, a dimension below 1, sizes
  // that do not agree, a label outside [0, num_classes), or a pixel that is not finite.
  static Dataset FromArrays(const ImageShape& image_shape, std::vector<uint8_t> images, std::vector<int32_t> labels,
                            int num_classes = 0);
  static Dataset FromArrays(const ImageShape& image_shape, std::vector<float> images, std::vector<int32_t> labels,
                            int num_classes = 0);

  int64_t size() const { return static_cast<int64_t>(data_->labels.size()); }
  const ImageShape& image_shape() const { return data_->image_shape; }
  int num_classes() const { return data_->num_classes; }
  // "60000 28x28x1 5a1b09c3": count, shape and CRC-32 of pixels and labels. Tells one data set from another by its
  // values, wherever they lie.
  std::string Digest() const;
  const Pixels& pixels() const { return data_->pixels; }
  const std::vector<int32_t>& labels() const { return data_->labels; }

 private:
  struct Data {
    ImageShape image_shape;
    Pixels pixels;
    std::vector<int32_t> labels;
    int num_classes;
  };

  explicit Dataset(std::shared_ptr<const Data> data) : data_(std::move(data)) {}
  template <class Pixel>
  static Dataset Make(const ImageShape& image_shape, std::vector<Pixel> images, std::vector<int32_t> labels,
                      int num_classes);

  std::shared_ptr<const Data> data_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_DATA_DATASET_H_
