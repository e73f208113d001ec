#include "models/data/dataset.h"

#include <functional>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::string MessageOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

std::vector<uint8_t> Bytes(size_t count) { return std::vector<uint8_t>(count, 7); }

TEST(DatasetTest, KeepsArraysAndSharesThem) {
  const std::vector<float> images = {0.0f, 0.5f, 1.0f, 1.5f};
  const Dataset dataset = Dataset::FromArrays({1, 2, 1}, images, {4, 1});
  const Dataset copy = dataset;
  EXPECT_EQ(dataset.size(), 2);
  EXPECT_EQ(dataset.num_classes(), 5);
  EXPECT_EQ(dataset.image_shape(), (ImageShape{1, 2, 1}));
  EXPECT_EQ(dataset.labels(), (std::vector<int32_t>{4, 1}));
  EXPECT_EQ(std::get<std::vector<float>>(dataset.pixels()), images);
  EXPECT_EQ(&dataset.pixels(), &copy.pixels());
}

TEST(DatasetTest, TakesNumberOfClassesAsGiven) {
  EXPECT_EQ(Dataset::FromArrays({1, 1, 1}, Bytes(2), {0, 1}, 10).num_classes(), 10);
}

TEST(DatasetTest, RejectsEmptySet) {
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({1, 1, 1}, Bytes(0), {});
            }),
            "dataset: expected at least one image, got an empty set");
}

TEST(DatasetTest, RejectsDimensionBelowOne) {
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({2, 0, 1}, Bytes(0), {1});
            }),
            "dataset: expected image height, width and channels of at least 1, got 2x0x1");
}

TEST(DatasetTest, RejectsSizesThatDoNotAgree) {
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({2, 3, 1}, Bytes(13), {0, 1});
            }),
            "dataset: expected 2 images of 2x3x1 for 2 labels, got 13 pixel values");
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({2, 3, 1}, Bytes(18), {0, 1});
            }),
            "dataset: expected 2 images of 2x3x1 for 2 labels, got 18 pixel values");
}

TEST(DatasetTest, RejectsDimensionsWhoseProductOverflows) {
  const int64_t huge = int64_t{1} << 32;
  EXPECT_EQ(MessageOf([&] {
              Dataset::FromArrays({huge, huge, 1}, Bytes(0), {0});
            }),
            "dataset: expected 1 images of 4294967296x4294967296x1 for 1 labels, got 0 pixel values");
}

TEST(DatasetTest, RejectsLabelsOutOfRange) {
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({1, 1, 1}, Bytes(2), {9, 10}, 10);
            }),
            "dataset: expected labels in [0, 10), got 10 for image 1");
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({1, 1, 1}, Bytes(2), {-1, 0});
            }),
            "dataset: expected labels in [0, 2147483647), got -1 for image 0");
  EXPECT_EQ(MessageOf([] {
              Dataset::FromArrays({1, 1, 1}, Bytes(1), {0}, -3);
            }),
            "dataset: expected num_classes of at least 1 (or 0: take it from the labels), got -3");
}

TEST(DatasetTest, RejectsPixelsThatAreNotFinite) {
  const float inf = std::numeric_limits<float>::infinity();
  EXPECT_EQ(MessageOf([&] {
              Dataset::FromArrays({1, 2, 1}, std::vector<float>{0, 0, 1, inf}, {0, 0});
            }),
            "dataset: expected finite pixel values, got inf in image 1");
}

TEST(Dataset, DigestTellsValuesApartAndNotPlaces) {
  const ImageShape shape{1, 2, 1};
  const auto digest = [&](std::vector<uint8_t> pixels, std::vector<int32_t> labels) {
    return Dataset::FromArrays(shape, std::move(pixels), std::move(labels)).Digest();
  };
  EXPECT_EQ(digest({1, 2, 3, 4}, {0, 1}), digest({1, 2, 3, 4}, {0, 1}));
  EXPECT_NE(digest({1, 2, 3, 4}, {0, 1}), digest({1, 2, 3, 5}, {0, 1}));
  EXPECT_NE(digest({1, 2, 3, 4}, {0, 1}), digest({1, 2, 3, 4}, {1, 0}));
  EXPECT_EQ(digest({1, 2, 3, 4}, {0, 1}).substr(0, 8), "2 1x2x1 ");
}

}  // namespace
}  // namespace bitgate
