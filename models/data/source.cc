#include "models/data/source.h"

#include <variant>

namespace bitgate {

int32_t DatasetSource::Read(int64_t index, int64_t /*epoch*/, float* image) const {
  const int64_t start = index * dataset_.image_shape().elements();
  std::visit([&](const auto& pixels) { preprocessor_.Image(pixels.data() + start, image); }, dataset_.pixels());
  return dataset_.labels()[index];
}

}  // namespace bitgate
