#include "models/graph/window.h"

#include "runtime/base/error.h"

namespace bitgate {
namespace {

struct Pair {
  int64_t height, width;
};

using Values = google::protobuf::RepeatedField<int32_t>;

Pair ReadPair(const std::string& where, const Values& values, int64_t minimum) {
  if (values.size() < 1 || values.size() > 2) {
    throw InvalidArgument(where, ": expected one or two values, got ", values.size());
  }
  const Pair pair{values.Get(0), values.Get(values.size() - 1)};
  for (const int64_t value : {pair.height, pair.width}) {
    if (value < minimum) throw InvalidArgument(where, ": expected at least ", minimum, ", got ", value);
  }
  return pair;
}

Pair ReadPairOr(const std::string& where, const Values& values, int64_t minimum, Pair absent) {
  return values.empty() ? absent : ReadPair(where, values, minimum);
}

void CheckImage(const std::string& where, const Dims& input) {
  if (input.size() != 3)
    throw InvalidArgument(where, ": input: expected [height, width, channels], got ", DimsText(input));
}

Window ReadWindow(const std::string& where, const Attributes& attributes, const Dims& input, Pair kernel,
                  Pair default_stride) {
  const Pair stride = ReadPairOr(where + ": attribute stride", attributes.stride(), 1, default_stride);
  const Pair padding = ReadPairOr(where + ": attribute padding", attributes.padding(), 0, {0, 0});
  const Dims padded = {input[0] + 2 * padding.height, input[1] + 2 * padding.width};
  ElementCount(where + ": padded input", {padded[0], padded[1], input[2]});
  if (kernel.height > padded[0] || kernel.width > padded[1]) {
    throw InvalidArgument(where, ": attribute kernel: expected at most the padded input ", DimsText(padded), ", got ",
                          DimsText({kernel.height, kernel.width}));
  }
  return {kernel.height, kernel.width, stride.height, stride.width, padding.height, padding.width};
}

}  // namespace

Window ConvolutionWindow(const std::string& where, const Attributes& attributes, const Dims& input) {
  CheckImage(where, input);
  const Pair kernel = ReadPair(where + ": attribute kernel", attributes.kernel(), 1);
  return ReadWindow(where, attributes, input, kernel, {1, 1});
}

Window PoolWindow(const std::string& where, const Attributes& attributes, const Dims& input) {
  CheckImage(where, input);
  if (attributes.kernel().empty() && attributes.stride_size() + attributes.padding_size() > 0) {
    throw InvalidArgument(where, ": attribute kernel: expected a value beside stride or padding, got none");
  }
  const Pair kernel = ReadPairOr(where + ": attribute kernel", attributes.kernel(), 1, {input[0], input[1]});
  const Window window = ReadWindow(where, attributes, input, kernel, kernel);
  if (window.padding_height >= window.kernel_height || window.padding_width >= window.kernel_width) {
    throw InvalidArgument(where, ": attribute padding: expected less than the kernel ",
                          DimsText({kernel.height, kernel.width}), ", got ",
                          DimsText({window.padding_height, window.padding_width}));
  }
  return window;
}

Dims SlideWindow(const std::string& where, const Window& window, const Dims& input, int64_t channels) {
  const Dims output = {(input[0] + 2 * window.padding_height - window.kernel_height) / window.stride_height + 1,
                       (input[1] + 2 * window.padding_width - window.kernel_width) / window.stride_width + 1, channels};
  ElementCount(where + ": output", output);
  return output;
}

}  // namespace bitgate
