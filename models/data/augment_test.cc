#include "models/data/augment.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "models/data/loader.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr ImageShape kImage = {5, 4, 3};

template <class Raw>
std::vector<Raw> MakePixels(int64_t images, const ImageShape& shape) {
  std::vector<Raw> pixels(images * shape.elements());
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<Raw>(1 + (i * 37 + i / 7) % 255);
  return pixels;
}

template <class Raw>
Dataset MakeData(int64_t images, const ImageShape& shape = kImage) {
  std::vector<int32_t> labels(images);
  for (int64_t i = 0; i < images; ++i) labels[i] = static_cast<int32_t>(i);
  return Dataset::FromArrays(shape, MakePixels<Raw>(images, shape), std::move(labels));
}

LoaderOptions Options(int64_t pad, bool flip, uint64_t seed = 3) {
  LoaderOptions options;
  options.batch_size = 4;
  options.shuffle = true;
  options.seed = seed;
  options.augmentation = {pad, flip};
  return options;
}

// By the letter: pads the image whole, cuts at (pad + down, pad + right), mirrors.
template <class Raw>
std::vector<Raw> PadCropFlip(const Raw* image, const ImageShape& shape, int64_t pad, const ImagePlacement& placement) {
  const int64_t width = shape.width + 2 * pad, channels = shape.channels;
  std::vector<Raw> padded((shape.height + 2 * pad) * width * channels), result;
  for (int64_t y = 0; y < shape.height; ++y) {
    std::copy_n(image + y * shape.width * channels, shape.width * channels,
                &padded[((y + pad) * width + pad) * channels]);
  }
  for (int64_t y = 0; y < shape.height; ++y) {
    for (int64_t x = 0; x < shape.width; ++x) {
      const int64_t cut = placement.mirrored ? shape.width - 1 - x : x;
      for (int64_t c = 0; c < channels; ++c) {
        result.push_back(padded[((y + pad + placement.down) * width + cut + pad + placement.right) * channels + c]);
      }
    }
  }
  return result;
}

template <class Raw>
void ExpectPadCropFlip(const ImageShape& shape, const PreprocessingOptions& preprocessing) {
  const Dataset dataset = MakeData<Raw>(20, shape);
  const std::vector<Raw> pixels = MakePixels<Raw>(20, shape);
  const Preprocessor preprocessor(preprocessing, shape);
  std::vector<float> read(shape.elements()), expected(shape.elements());
  for (int64_t pad = 0; pad < std::min(shape.height, shape.width); ++pad) {
    for (const bool flip : {false, true}) {
      const AugmentedSource source(dataset, preprocessing, Options(pad, flip));
      ImageAugmentation augmentation = AugmentationOf(Options(pad, flip), shape);
      augmentation.epoch = 7;
      for (int64_t image = 0; image < 20; ++image) {
        const ImagePlacement placement = DrawPlacement(augmentation, image);
        const std::vector<Raw> placed = PadCropFlip(&pixels[image * shape.elements()], shape, pad, placement);
        preprocessor.Image(placed.data(), expected.data());
        EXPECT_EQ(source.Read(image, 7, read.data()), image);
        ASSERT_EQ(read, expected) << shape << ", pad " << pad << ", image " << image;
        for (int64_t i = 0; i < shape.elements(); ++i) {
          const int64_t from = SourceElement(augmentation, placement, i);
          ASSERT_EQ(from < 0 ? Raw{0} : pixels[image * shape.elements() + from], placed[i]);
        }
      }
    }
  }
}

TEST(AugmentTest, PadsCropsFlipsAndThenNormalizes) {
  for (const ImageShape& shape : {kImage, ImageShape{3, 6, 1}, ImageShape{1, 1, 2}, ImageShape{8, 8, 4}}) {
    const PreprocessingOptions plain = {1.0 / 255, {0.45}, {0.2}};
    PreprocessingOptions flat = {1.0 / 255, {}, {}, /*flat=*/true};
    for (int64_t i = 0; i < shape.elements(); ++i) flat.mean.push_back(0.01 * static_cast<double>(i));
    for (const PreprocessingOptions& preprocessing : {plain, flat}) {
      ExpectPadCropFlip<uint8_t>(shape, preprocessing);
      ExpectPadCropFlip<float>(shape, preprocessing);
    }
  }
}

TEST(AugmentTest, EveryPlaceIsEquallyLikely) {
  constexpr int64_t kPad = 4, kSide = 2 * kPad + 1, kCells = kSide * kSide * 2, kMean = 300;
  std::vector<int64_t> counts(kCells);
  const ImageAugmentation augmentation = {32, 32, 3, kPad, true, 1, 0};
  for (int64_t image = 0; image < kCells * kMean; ++image) {
    const ImagePlacement placement = DrawPlacement(augmentation, image);
    ASSERT_TRUE(std::abs(placement.down) <= kPad && std::abs(placement.right) <= kPad);
    ++counts[((placement.down + kPad) * kSide + placement.right + kPad) * 2 + (placement.mirrored ? 1 : 0)];
  }
  double chi_square = 0;  // of 161 degrees of freedom: mean 161, standard deviation 18
  for (const int64_t count : counts) chi_square += (count - kMean) * (count - kMean) / double{kMean};
  EXPECT_GT(chi_square, 161 - 4 * 18);
  EXPECT_LT(chi_square, 161 + 4 * 18);
}

std::vector<int> Drawn(uint64_t seed, uint64_t epoch) {
  std::vector<int> values;
  for (int64_t image = 0; image < 4; ++image) {
    const ImagePlacement placement = DrawPlacement({32, 32, 3, 4, true, seed, epoch}, image);
    values.insert(values.end(), {placement.down, placement.right, placement.mirrored});
  }
  return values;
}

// Runs that have begun are resumed with the same draws by every version.
TEST(AugmentTest, DrawsAreAFunctionOfSeedEpochAndImage) {
  EXPECT_EQ(Drawn(1, 0), (std::vector<int>{2, 2, 1, -4, 2, 0, 2, 4, 0, -3, -1, 1}));
  EXPECT_NE(Drawn(1, 0), Drawn(1, 1));
  EXPECT_NE(Drawn(1, 0), Drawn(2, 0));
  EXPECT_NE(Drawn(1, 1), Drawn(1, uint64_t{1} << 32 | 1));
}

TEST(AugmentTest, WithoutFlipNothingIsMirrored) {
  for (int64_t image = 0; image < 100; ++image) {
    EXPECT_FALSE(DrawPlacement({32, 32, 3, 4, false, 1, 0}, image).mirrored);
    const ImagePlacement placement = DrawPlacement({32, 32, 3, 0, true, 1, 0}, image);
    EXPECT_TRUE(placement.down == 0 && placement.right == 0);
  }
}

// Images by label, whatever batches they came in.
std::vector<std::vector<float>> ByLabel(Loader* loader, int64_t epoch, int64_t first_batch) {
  std::vector<std::vector<float>> images(loader->size());
  loader->StartEpoch(epoch, first_batch);
  const int64_t elements = loader->image_shape().elements();
  while (const Batch* batch = loader->Next()) {
    for (int64_t i = 0; i < batch->size; ++i) {
      const float* image = batch->images.data() + i * elements;
      images[batch->labels[i]].assign(image, image + elements);
    }
  }
  return images;
}

TEST(AugmentTest, AnImageIsTheSameInWhateverBatchItComes) {
  const Dataset dataset = MakeData<uint8_t>(23);
  LoaderOptions other = Options(2, true);
  other.batch_size = 7;
  other.shuffle = false;
  Loader loader(dataset, {}, Options(2, true)), twin(dataset, {}, other), plain(dataset, {}, Options(0, false));
  const auto first = ByLabel(&loader, 0, 0), second = ByLabel(&loader, 1, 0);
  EXPECT_EQ(first, ByLabel(&twin, 0, 0));
  EXPECT_EQ(second, ByLabel(&twin, 1, 0));
  EXPECT_NE(first, second);
  EXPECT_NE(first, ByLabel(&plain, 0, 0));
}

TEST(AugmentTest, AResumedEpochGoesOnWithTheSameImages) {
  const Dataset dataset = MakeData<uint8_t>(23);
  Loader loader(dataset, {}, Options(2, true));
  const auto whole = ByLabel(&loader, 5, 0);
  for (int64_t first = 0; first < loader.batches_per_epoch(); ++first) {
    Loader resumed(dataset, {}, Options(2, true));
    const auto rest = ByLabel(&resumed, 5, first);
    int64_t seen = 0;
    for (size_t i = 0; i < rest.size(); ++i) {
      if (rest[i].empty()) continue;
      ++seen;
      EXPECT_EQ(rest[i], whole[i]);
    }
    EXPECT_EQ(seen, 23 - 4 * first);
  }
}

TEST(AugmentTest, RefusesAPadThatDoesNotFit) {
  const auto message_of = [](int64_t pad) -> std::string {
    try {
      Loader(MakeData<uint8_t>(4), {}, Options(pad, true));
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message_of(3), "no error");
  EXPECT_EQ(message_of(4), "augmentation: expected pad from 0 to 3 for images of 5x4x3, got 4");
  EXPECT_EQ(message_of(-1), "augmentation: expected pad from 0 to 3 for images of 5x4x3, got -1");
}

}  // namespace
}  // namespace bitgate
