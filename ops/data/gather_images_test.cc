#include "ops/data/gather_images.h"

#include <algorithm>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "ops/data/gather_images_math.h"
#include "ops/op_testing.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

using testing::BitsOf;
using testing::ExpectInvalid;
using testing::RandomValues;
using testing::TestContext;

// Images whose raw values differ everywhere, labels that tell their number.
template <class Raw>
struct Images {
  Images(int64_t count, int64_t elements, int64_t channels)
      : count(count),
        elements(elements),
        mean(RandomValues(channels, 1)),
        std(RandomValues(channels, 2, 0.25f, 2)),
        labels(count) {
    for (const float value : RandomValues(count * elements, 3, 0, 256)) raw.push_back(static_cast<Raw>(value));
    for (int64_t i = 0; i < count; ++i) labels[i] = static_cast<int32_t>(1000 + i);
  }

  ImageTable On(Context& context) const {
    const Shape channels{static_cast<int64_t>(mean.size())};
    return {FromHost(context, raw, {count, elements}), FromHost(context, labels, {count}), kScale,
            FromHost(context, mean, channels), FromHost(context, std, channels)};
  }
  std::vector<float> Expected(int64_t image) const {
    std::vector<float> values(elements);
    for (int64_t i = 0; i < elements; ++i) {
      const size_t channel = static_cast<size_t>(i) % mean.size();
      values[i] = NormalizePixel(static_cast<float>(raw[image * elements + i]), kScale, mean[channel], std[channel]);
    }
    return values;
  }

  static constexpr float kScale = 1.0f / 255;
  int64_t count, elements;
  std::vector<float> mean, std;
  std::vector<Raw> raw;
  std::vector<int32_t> labels;
};

void ExpectGathered(Context& context, const ImageTable& table, const std::vector<std::vector<float>>& rows,
                    const std::vector<int32_t>& order, int64_t first, const Tensor& images, const Tensor& labels,
                    const ImageAugmentation& augmentation = {}) {
  const int64_t count = labels.size();
  GatherImages(context, table,
               order.empty() ? Tensor() : FromHost(context, order, {static_cast<int64_t>(order.size())}), first, images,
               labels, augmentation);
  const std::vector<float> values = ToHost<float>(context, images);
  const std::vector<int32_t> numbers = ToHost<int32_t>(context, labels);
  const int64_t elements = count == 0 ? 0 : images.size() / count;
  for (int64_t k = 0; k < count; ++k) {
    const int64_t source = order.empty() ? first + k : order[first + k];
    ASSERT_EQ(numbers[k], 1000 + source);
    const std::vector<float> row(values.begin() + k * elements, values.begin() + (k + 1) * elements);
    ASSERT_EQ(BitsOf(row), BitsOf(rows[source])) << "row " << k << " of " << elements << " elements";
  }
}

template <class Raw>
void CheckSizes() {
  TestContext context;
  // Widths of four or not, in less than a block of threads, in one, and in several.
  for (const int64_t elements : {1, 3, 4, 12, 255, 784, 1023, 1024, 1028, 3072}) {
    for (const int64_t channels : {int64_t{1}, int64_t{3}, elements}) {
      const Images<Raw> made(7, elements, channels);
      const ImageTable table = made.On(context);
      std::vector<std::vector<float>> rows;
      for (int64_t i = 0; i < made.count; ++i) rows.push_back(made.Expected(i));
      const Tensor images = Empty(context, {4, elements}), labels = Empty(context, {4}, DType::kInt32);
      ExpectGathered(context, table, rows, {6, 0, 5, 1, 4, 2, 3}, 2, images, labels);
      ExpectGathered(context, table, rows, {}, 3, images, labels);
      ExpectGathered(context, table, rows, {}, 7, SliceView(images, 0, 0, 0), SliceView(labels, 0, 0, 0));
    }
  }
}

TEST(GatherImages, FromBytes) { CheckSizes<uint8_t>(); }
TEST(GatherImages, FromFloats) { CheckSizes<float>(); }

TEST(GatherImages, IntoAndFromMemoryThatIsNotAligned) {
  TestContext context;
  const Images<uint8_t> made(5, 8, 1);
  ImageTable table = made.On(context);
  std::vector<std::vector<float>> rows;
  for (int64_t i = 0; i < made.count; ++i) rows.push_back(made.Expected(i));
  const Tensor labels = Empty(context, {3}, DType::kInt32);
  const Tensor shifted = ReshapeView(SliceView(Empty(context, {25}), 0, 1, 25), {3, 2, 4, 1});
  ExpectGathered(context, table, rows, {4, 2, 0}, 0, shifted, labels);
  std::vector<uint8_t> moved = made.raw;
  moved.insert(moved.begin(), 77);
  const Tensor all = FromHost(context, moved, {static_cast<int64_t>(moved.size())});
  table.pixels = ReshapeView(SliceView(all, 0, 1, all.size()), {5, 8});
  ExpectGathered(context, table, rows, {4, 2, 0}, 0, Empty(context, {3, 8}), labels);
}

TEST(GatherImages, MoreRowsThanAGridHas) {
  TestContext context;
  const Images<uint8_t> made(3, 2, 1);
  const std::vector<std::vector<float>> rows = {made.Expected(0), made.Expected(1), made.Expected(2)};
  std::vector<int32_t> order(70000);
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i % 3);
  ExpectGathered(context, made.On(context), rows, order, 0, Empty(context, {70000, 2}),
                 Empty(context, {70000}, DType::kInt32));
}

// Written out by rows and columns.
template <class Raw>
std::vector<float> Augmented(const Images<Raw>& made, const ImageAugmentation& augmentation, int64_t image) {
  const ImagePlacement placement = DrawPlacement(augmentation, image);
  std::vector<float> values;
  for (int64_t y = 0; y < augmentation.height; ++y) {
    for (int64_t x = 0; x < augmentation.width; ++x) {
      const int64_t from_y = y + placement.down;
      const int64_t from_x = (placement.mirrored ? augmentation.width - 1 - x : x) + placement.right;
      const bool inside = from_y >= 0 && from_y < augmentation.height && from_x >= 0 && from_x < augmentation.width;
      for (int64_t c = 0; c < augmentation.channels; ++c) {
        const int64_t from =
            ((image * augmentation.height + from_y) * augmentation.width + from_x) * augmentation.channels;
        const size_t channel = values.size() % made.mean.size();
        values.push_back(NormalizePixel(inside ? static_cast<float>(made.raw[from + c]) : 0, made.kScale,
                                        made.mean[channel], made.std[channel]));
      }
    }
  }
  return values;
}

template <class Raw>
void CheckAugmented() {
  TestContext context;
  struct Case {
    int64_t height, width, channels, pad;
  };
  for (const Case& size : {Case{1, 1, 1, 0},
                           {3, 5, 1, 2},
                           {4, 4, 1, 3},
                           {5, 7, 3, 4},
                           {8, 8, 3, 2},
                           {32, 32, 3, 4},
                           {33, 31, 3, 4},
                           {40, 48, 4, 12}}) {
    const int64_t elements = size.height * size.width * size.channels;
    for (const int64_t channels : {size.channels, elements}) {
      const Images<Raw> made(9, elements, channels);
      const ImageTable table = made.On(context);
      for (const bool flip : {false, true}) {
        const ImageAugmentation augmentation = {size.height, size.width, size.channels, size.pad, flip, 11, 1ull << 33};
        std::vector<std::vector<float>> rows;
        for (int64_t i = 0; i < made.count; ++i) rows.push_back(Augmented(made, augmentation, i));
        const Tensor images = Empty(context, {6, elements}), labels = Empty(context, {6}, DType::kInt32);
        const Tensor odd = SliceView(Empty(context, {6 * elements + 1}), 0, 1, 6 * elements + 1);
        ExpectGathered(context, table, rows, {8, 0, 5, 1, 4, 2, 3, 6, 7}, 2, images, labels, augmentation);
        ExpectGathered(context, table, rows, {}, 3, ReshapeView(odd, {6, elements}), labels, augmentation);
      }
    }
  }
}

TEST(GatherImages, AugmentedFromBytes) { CheckAugmented<uint8_t>(); }
TEST(GatherImages, AugmentedFromFloats) { CheckAugmented<float>(); }

TEST(GatherImages, RefusesAnAugmentationThatDoesNotFit) {
  TestContext context;
  const ImageTable table = Images<uint8_t>(5, 24, 2).On(context);
  const Tensor images = Empty(context, {2, 24}), labels = Empty(context, {2}, DType::kInt32);
  const auto expect = [&](const ImageAugmentation& augmentation, const std::string& message) {
    ExpectInvalid([&] { GatherImages(context, table, Tensor(), 0, images, labels, augmentation); }, {message});
  };
  expect({3, 4, 3, 1, false}, "gather_images: expected images of 24 elements to augment, got 3x4x3");
  expect({3, 0, 2, 1, false}, "got 3x0x2");
  expect({int64_t{1} << 40, int64_t{1} << 40, 2, 1, true}, "expected images of 24 elements");
  expect({3, 4, 2, 3, false}, "gather_images: expected a pad of at least 0 and less than 3, got 3");
  expect({3, 4, 2, -1, true}, "got -1");
}

TEST(GatherImages, LeavesItsNeighboursAlone) {
  TestContext context;
  for (const int64_t elements : {3, 4}) {
    const Images<float> made(4, elements, 1);
    const Tensor images = FromHost(context, std::vector<float>(4 * elements, 9), {4, elements});
    const Tensor labels = FromHost(context, std::vector<int32_t>(4, 9), {4});
    GatherImages(context, made.On(context), Tensor(), 0, SliceView(images, 0, 1, 3), SliceView(labels, 0, 1, 3));
    const std::vector<float> values = ToHost<float>(context, images);
    for (int64_t i = 0; i < elements; ++i) {
      EXPECT_EQ(values[i], 9);
      EXPECT_EQ(values[3 * elements + i], 9);
    }
    EXPECT_EQ(ToHost<int32_t>(context, labels), (std::vector<int32_t>{9, 1000, 1001, 9}));
  }
}

TEST(GatherImages, RefusesWhatDoesNotFit) {
  TestContext context;
  const ImageTable table = Images<uint8_t>(5, 4, 2).On(context);
  const Tensor images = Empty(context, {2, 4}), labels = Empty(context, {2}, DType::kInt32);
  ExpectInvalid([&] { GatherImages(context, table, Tensor(), 4, images, labels); },
                {"gather_images: expected places within an order of 5, got 2 from 4"});
  ExpectInvalid([&] { GatherImages(context, table, FromHost<int32_t>(context, {0}, {1}), 0, images, labels); },
                {"within an order of 1, got 2 from 0"});
  ExpectInvalid([&] { GatherImages(context, table, Tensor(), -1, images, labels); }, {"got 2 from -1"});
  ExpectInvalid(
      [&] {
        GatherImages(context, table, Tensor(), 0, Empty(context, {2, 5}), labels);
      },
      {"expected images of 2 rows of 4 values, got shape [2, 5]"});
  ExpectInvalid([&] { GatherImages(context, table, images, 0, images, labels); }, {"order", "int32"});
  ImageTable bad = table;
  bad.pixels = table.labels;
  ExpectInvalid([&] { GatherImages(context, bad, Tensor(), 0, images, labels); }, {"pixels", "float32", "int32"});
  bad = table;
  bad.std = Empty(context, {3});
  ExpectInvalid([&] { GatherImages(context, bad, Tensor(), 0, images, labels); }, {"std", "[2]", "[3]"});
}

}  // namespace
}  // namespace bitgate
