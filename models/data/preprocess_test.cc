#include "models/data/preprocess.h"

#include <functional>
#include <limits>
#include <string>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::string MessageOf(const PreprocessingOptions& preprocessing, const ImageShape& shape = {1, 2, 3}) {
  try {
    Preprocessor preprocessor(preprocessing, shape);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
    return error.what();
  }
  return "no error";
}

TEST(PreprocessTest, DefaultKeepsRawValues) {
  const uint8_t raw[] = {0, 1, 128, 255};
  float out[4];
  Preprocessor({}, {2, 2, 1}).Image(raw, out);
  EXPECT_EQ(std::vector<float>(out, out + 4), (std::vector<float>{0, 1, 128, 255}));
}

TEST(PreprocessTest, ComputesInTheDocumentedOrderOfFloat32) {
  const PreprocessingOptions cifar = {1.0 / 255, {0.4914, 0.4822, 0.4465}, {0.2023, 0.1994, 0.2010}};
  const Preprocessor preprocessor(cifar, {16, 16, 3});
  std::vector<uint8_t> bytes(16 * 16 * 3);
  std::vector<float> floats(bytes.size()), from_bytes(bytes.size()), from_floats(bytes.size());
  for (size_t i = 0; i < bytes.size(); ++i) floats[i] = bytes[i] = static_cast<uint8_t>(i / 3);
  preprocessor.Image(bytes.data(), from_bytes.data());
  preprocessor.Image(floats.data(), from_floats.data());
  for (size_t i = 0; i < bytes.size(); ++i) {
    volatile float value = floats[i] * static_cast<float>(cifar.scale);
    value = value - static_cast<float>(cifar.mean[i % 3]);
    value = value / static_cast<float>(cifar.std[i % 3]);
    ASSERT_EQ(from_bytes[i], value) << i;
    ASSERT_EQ(from_floats[i], value) << i;
  }
}

TEST(PreprocessTest, OneValueServesAllChannels) {
  const float raw[] = {1, 2, 3, 4, 5, 6};
  float out[6];
  Preprocessor({1, {1}, {2}}, {1, 2, 3}).Image(raw, out);
  EXPECT_EQ(std::vector<float>(out, out + 6), (std::vector<float>{0, 0.5, 1, 1.5, 2, 2.5}));
}

TEST(PreprocessTest, AFlatImageMayHaveAValuePerFeature) {
  for (const int64_t elements : {6, 60}) {  // looked up and computed
    std::vector<double> mean(elements);
    std::vector<uint8_t> raw(elements);
    for (int64_t i = 0; i < elements; ++i) {
      mean[i] = static_cast<double>(i);
      raw[i] = static_cast<uint8_t>(3 * i);
    }
    std::vector<float> out(elements);
    const Preprocessor preprocessor({1, mean, {2}, /*flat=*/true}, {elements / 2, 2, 1});
    preprocessor.Image(raw.data(), out.data());
    for (int64_t i = 0; i < elements; ++i) EXPECT_EQ(out[i], i) << elements;
  }
  const float raw[] = {1, 2, 3, 4, 5, 6};
  float out[6];
  Preprocessor({1, {1}, {}, /*flat=*/true}, {1, 2, 3}).Image(raw, out);
  EXPECT_EQ(std::vector<float>(out, out + 6), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(MessageOf({1, {1, 2, 3}, {}, /*flat=*/true}),
            "preprocessing: expected 0, 1 or 6 values of mean for images of as many features, got 3");
}

TEST(PreprocessTest, RejectsBadValues) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(MessageOf({0, {}, {}}), "preprocessing: expected a finite scale other than 0, got 0");
  EXPECT_EQ(MessageOf({nan, {}, {}}), "preprocessing: expected a finite scale other than 0, got nan");
  EXPECT_EQ(MessageOf({1, {1e300}, {}}), "preprocessing: expected finite mean, got 1e+300");
  EXPECT_EQ(MessageOf({1, {}, {1, 0, 1}}), "preprocessing: expected std above 0, got 0");
  EXPECT_EQ(MessageOf({1, {0, 0}, {}}),
            "preprocessing: expected 0, 1 or 3 values of mean for images of as many channels, got 2");
}

}  // namespace
}  // namespace bitgate
