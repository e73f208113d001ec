#include "models/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>

#include "runtime/base/error.h"
#include "zlib.h"

namespace bitgate {
namespace {

constexpr int32_t kMaxInt32 = std::numeric_limits<int32_t>::max();

// Compares by division: the product of hostile dimensions may not fit in 64 bits.
bool Holds(size_t values, size_t images, const ImageShape& shape) {
  uint64_t rest = values;
  for (uint64_t factor : {static_cast<uint64_t>(images), static_cast<uint64_t>(shape.height),
                          static_cast<uint64_t>(shape.width), static_cast<uint64_t>(shape.channels)}) {
    if (rest % factor != 0) return false;
    rest /= factor;
  }
  return rest == 1;
}

void CheckSizes(const ImageShape& shape, size_t values, size_t images) {
  if (shape.height < 1 || shape.width < 1 || shape.channels < 1) {
    throw InvalidArgument("dataset: expected image height, width and channels of at least 1, got ", shape);
  }
  if (images == 0) throw InvalidArgument("dataset: expected at least one image, got an empty set");
  if (images > static_cast<size_t>(kMaxInt32)) {
    throw InvalidArgument("dataset: expected at most ", kMaxInt32, " images, got ", images);
  }
  if (!Holds(values, images, shape)) {
    throw InvalidArgument("dataset: expected ", images, " images of ", shape, " for ", images, " labels, got ", values,
                          " pixel values");
  }
}

int CheckLabels(const std::vector<int32_t>& labels, int num_classes) {
  if (num_classes < 0) {
    throw InvalidArgument("dataset: expected num_classes of at least 1 (or 0: take it from the labels), got ",
                          num_classes);
  }
  const int32_t end = num_classes > 0 ? num_classes : kMaxInt32;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0 || labels[i] >= end) {
      throw InvalidArgument("dataset: expected labels in [0, ", end, "), got ", labels[i], " for image ", i);
    }
  }
  return num_classes > 0 ? num_classes : *std::max_element(labels.begin(), labels.end()) + 1;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const ImageShape& shape) {
  return out << shape.height << "x" << shape.width << "x" << shape.channels;
}

template <class Pixel>
Dataset Dataset::Make(const ImageShape& image_shape, std::vector<Pixel> images, std::vector<int32_t> labels,
                      int num_classes) {
  CheckSizes(image_shape, images.size(), labels.size());
  num_classes = CheckLabels(labels, num_classes);
  return Dataset(
      std::make_shared<const Data>(Data{image_shape, Pixels(std::move(images)), std::move(labels), num_classes}));
}

Dataset Dataset::FromArrays(const ImageShape& image_shape, std::vector<uint8_t> images, std::vector<int32_t> labels,
                            int num_classes) {
  return Make(image_shape, std::move(images), std::move(labels), num_classes);
}

Dataset Dataset::FromArrays(const ImageShape& image_shape, std::vector<float> images, std::vector<int32_t> labels,
                            int num_classes) {
  Dataset dataset = Make(image_shape, std::move(images), std::move(labels), num_classes);
  const std::vector<float>& values = std::get<std::vector<float>>(dataset.pixels());
  const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    throw InvalidArgument("dataset: expected finite pixel values, got ", *bad, " in image ",
                          (bad - values.begin()) / image_shape.elements());
  }
  return dataset;
}

std::string Dataset::Digest() const {
  uLong sum = crc32(0, nullptr, 0);
  const auto add = [&sum](const auto& values) {
    sum = crc32_z(sum, reinterpret_cast<const Bytef*>(values.data()), values.size() * sizeof(values[0]));
  };
  std::visit(add, data_->pixels);
  add(data_->labels);
  std::ostringstream text;
  text << size() << " " << image_shape() << " " << std::hex << sum;
  return text.str();
}

}  // namespace bitgate
