#include "models/data/preprocess.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ops/data/gather_images_math.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr int64_t kMostTables = 16;  // of 1 KiB each; with more, looking up takes longer than computing

// How many values of mean and std there are to be, if there is more than one.
int64_t Channels(const PreprocessingOptions& preprocessing, const ImageShape& image_shape) {
  const int64_t channels = preprocessing.flat ? image_shape.elements() : image_shape.channels;
  for (const auto& [name, values] : {std::make_pair("mean", &preprocessing.mean), {"std", &preprocessing.std}}) {
    const int64_t count = static_cast<int64_t>(values->size());
    if (count > 1 && count != channels) {
      throw InvalidArgument("preprocessing: expected 0, 1 or ", channels, " values of ", name,
                            " for images of as many ", preprocessing.flat ? "features" : "channels", ", got ", count);
    }
  }
  return std::max(preprocessing.mean.size(), preprocessing.std.size()) > 1 ? channels : 1;
}

std::vector<float> PerChannel(const char* name, const std::vector<double>& values, int64_t channels, float absent) {
  for (double value : values) {
    if (!std::isfinite(static_cast<float>(value))) {
      throw InvalidArgument("preprocessing: expected finite ", name, ", got ", value);
    }
  }
  if (values.size() < 2) return std::vector<float>(channels, values.empty() ? absent : static_cast<float>(values[0]));
  return std::vector<float>(values.begin(), values.end());
}

}  // namespace

Preprocessor::Preprocessor(const PreprocessingOptions& preprocessing, const ImageShape& image_shape)
    : image_shape_(image_shape),
      scale_(static_cast<float>(preprocessing.scale)),
      channels_(Channels(preprocessing, image_shape)),
      mean_(PerChannel("mean", preprocessing.mean, channels_, 0)),
      std_(PerChannel("std", preprocessing.std, channels_, 1)) {
  if (!std::isfinite(scale_) || scale_ == 0) {
    throw InvalidArgument("preprocessing: expected a finite scale other than 0, got ", preprocessing.scale);
  }
  for (float value : std_) {
    if (value <= 0) throw InvalidArgument("preprocessing: expected std above 0, got ", value);
  }
  if (channels_ > kMostTables) return;
  table_.reserve(channels_ * 256);
  for (int64_t channel = 0; channel < channels_; ++channel) {
    for (int raw = 0; raw < 256; ++raw) {
      table_.push_back(NormalizePixel(static_cast<float>(raw), scale_, mean_[channel], std_[channel]));
    }
  }
}

template <class Raw>
void Preprocessor::Compute(const Raw* raw, float* out) const {
  const int64_t count = image_shape_.elements();
  for (int64_t channel = 0; channel < channels_; ++channel) {
    const float mean = mean_[channel], std = std_[channel];
    for (int64_t i = channel; i < count; i += channels_) {
      out[i] = NormalizePixel(static_cast<float>(raw[i]), scale_, mean, std);
    }
  }
}

void Preprocessor::Image(const uint8_t* raw, float* out) const {
  if (table_.empty()) return Compute(raw, out);
  const int64_t count = image_shape_.elements();
  for (int64_t channel = 0; channel < channels_; ++channel) {
    const float* table = &table_[channel * 256];
    for (int64_t i = channel; i < count; i += channels_) out[i] = table[raw[i]];
  }
}

void Preprocessor::Image(const float* raw, float* out) const { Compute(raw, out); }

}  // namespace bitgate
