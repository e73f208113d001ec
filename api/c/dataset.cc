#include <utility>
#include <vector>

#include "api/c/handles.h"
#include "models/data/open.h"

namespace bitgate::c {
namespace {

Split CheckedSplit(const bg_split& split) {
  if (NumberOf(split) == BG_SPLIT_TRAIN) return Split::kTrain;
  if (NumberOf(split) == BG_SPLIT_TEST) return Split::kTest;
  throw InvalidArgument("bg_dataset_create_from_folder: expected a bg_split, got ", NumberOf(split));
}

// The number of pixels, of sizes that are checked before memory is asked for.
size_t PixelCount(int64_t count, const ImageShape& shape) {
  constexpr int64_t kMost = int64_t{1} << 40;
  int64_t pixels = 1;
  for (int64_t size : {count, shape.height, shape.width, shape.channels}) {
    if (size < 1 || size > kMost / pixels) {
      throw InvalidArgument("bg_dataset_create: expected at least 1 image, of sizes of at least 1 and 2^40 pixels at ",
                            "most together, got ", count, " images of ", shape);
    }
    pixels *= size;
  }
  return static_cast<size_t>(pixels);
}

template <class Pixel>
Dataset CopyOf(const ImageShape& shape, size_t pixels, const void* images, std::vector<int32_t> labels,
               int32_t classes) {
  const Pixel* values = static_cast<const Pixel*>(images);
  return Dataset::FromArrays(shape, std::vector<Pixel>(values, values + pixels), std::move(labels), classes);
}

}  // namespace
}  // namespace bitgate::c

using bitgate::c::Guard;
using bitgate::c::Require;

bg_status bg_dataset_create_from_folder(const char* folder, bg_split split, int32_t classes, bg_dataset** out) {
  return Guard([&] {
    Require("bg_dataset_create_from_folder", "out", out);
    *out =
        new bg_dataset{bitgate::OpenDataset(folder == nullptr ? "" : folder, bitgate::c::CheckedSplit(split), classes)};
  });
}

bg_status bg_dataset_create(int64_t count, int64_t height, int64_t width, int64_t channels, bg_dtype dtype,
                            const void* images, const int32_t* labels, int32_t classes, bg_dataset** out) {
  return Guard([&] {
    constexpr char kName[] = "bg_dataset_create";
    Require(kName, "images", images);
    Require(kName, "labels", labels);
    Require(kName, "out", out);
    const bitgate::ImageShape shape{height, width, channels};
    const size_t pixels = bitgate::c::PixelCount(count, shape);
    std::vector<int32_t> copied(labels, labels + count);
    const int32_t type = bitgate::c::NumberOf(dtype);
    if (type == BG_UINT8) {
      *out = new bg_dataset{bitgate::c::CopyOf<uint8_t>(shape, pixels, images, std::move(copied), classes)};
    } else if (type == BG_FLOAT32) {
      *out = new bg_dataset{bitgate::c::CopyOf<float>(shape, pixels, images, std::move(copied), classes)};
    } else {
      throw bitgate::InvalidArgument(kName, ": expected BG_UINT8 or BG_FLOAT32, got ", type);
    }
  });
}

void bg_dataset_free(bg_dataset* dataset) { bitgate::c::Free(dataset); }

bg_status bg_dataset_size(bg_dataset* dataset, int64_t* size) {
  return Guard([&] {
    const int64_t images = Require("bg_dataset_size", "dataset", dataset).dataset.size();
    Require("bg_dataset_size", "size", size) = images;
  });
}

bg_status bg_dataset_image_shape(bg_dataset* dataset, int64_t dims[3]) {
  return Guard([&] {
    const bitgate::ImageShape& shape = Require("bg_dataset_image_shape", "dataset", dataset).dataset.image_shape();
    Require("bg_dataset_image_shape", "dims", dims);
    dims[0] = shape.height;
    dims[1] = shape.width;
    dims[2] = shape.channels;
  });
}

bg_status bg_dataset_classes(bg_dataset* dataset, int32_t* classes) {
  return Guard([&] {
    const int count = Require("bg_dataset_classes", "dataset", dataset).dataset.num_classes();
    Require("bg_dataset_classes", "classes", classes) = count;
  });
}
