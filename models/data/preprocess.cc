#include "models/data/preprocess.h"

#include <cmath>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::vector<float> PerChannel(const char* name, const std::vector<double>& values, int64_t channels) {
  const int64_t count = static_cast<int64_t>(values.size());
  if (count > 1 && count != channels) {
    throw InvalidArgument("preprocessing: expected 0, 1 or ", channels, " values of ", name,
                          " for images of as many channels, got ", count);
  }
  for (double value : values) {
    if (!std::isfinite(static_cast<float>(value))) {
      throw InvalidArgument("preprocessing: expected finite ", name, ", got ", value);
    }
  }
  if (count == 1) return std::vector<float>(channels, static_cast<float>(values[0]));
  return std::vector<float>(values.begin(), values.end());
}

}  // namespace

Preprocessor::Preprocessor(const PreprocessingOptions& preprocessing, const ImageShape& image_shape)
    : image_shape_(image_shape),
      scale_(static_cast<float>(preprocessing.scale)),
      has_mean_(!preprocessing.mean.empty()),
      has_std_(!preprocessing.std.empty()),
      mean_(PerChannel("mean", preprocessing.mean, image_shape.channels)),
      std_(PerChannel("std", preprocessing.std, image_shape.channels)) {
  if (!std::isfinite(scale_) || scale_ == 0) {
    throw InvalidArgument("preprocessing: expected a finite scale other than 0, got ", preprocessing.scale);
  }
  for (float value : std_) {
    if (value <= 0) throw InvalidArgument("preprocessing: expected std above 0, got ", value);
  }
  table_.reserve(image_shape.channels * 256);
  for (int64_t channel = 0; channel < image_shape.channels; ++channel) {
    for (int raw = 0; raw < 256; ++raw) table_.push_back(Value(static_cast<float>(raw), channel));
  }
}

float Preprocessor::Value(float raw, int64_t channel) const {
  float value = raw * scale_;
  if (has_mean_) value -= mean_[channel];
  if (has_std_) value /= std_[channel];
  return value;
}

void Preprocessor::Image(const uint8_t* raw, float* out) const {
  const int64_t channels = image_shape_.channels, count = image_shape_.elements();
  for (int64_t channel = 0; channel < channels; ++channel) {
    const float* table = &table_[channel * 256];
    for (int64_t i = channel; i < count; i += channels) out[i] = table[raw[i]];
  }
}

void Preprocessor::Image(const float* raw, float* out) const {
  const int64_t channels = image_shape_.channels, count = image_shape_.elements();
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t i = channel; i < count; i += channels) out[i] = Value(raw[i], channel);
  }
}

}  // namespace bitgate
