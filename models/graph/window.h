// The sliding window of convolutions and pools.
#ifndef BITGATE_MODELS_GRAPH_WINDOW_H_
#define BITGATE_MODELS_GRAPH_WINDOW_H_

#include <cstdint>
#include <string>

#include "models/graph/dims.h"
#include "models/graph/graph.pb.h"

namespace bitgate {

struct Window {
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t padding_height = 0, padding_width = 0;  // on each side
};

// The attributes kernel, stride (absent: 1) and padding (absent: 0), each one value or [height, width]. Throws
// InvalidArgument (beginning with `where`) if `input` is not [height, width, channels], a value is out of range, or the
// kernel exceeds the padded input.
Window ConvolutionWindow(const std::string& where, const Attributes& attributes, const Dims& input);

// As above, but an absent kernel means the whole input (then stride and padding must be absent too), an absent stride
// the kernel, and padding must be smaller than the kernel: every window holds at least one element of the input.
Window PoolWindow(const std::string& where, const Attributes& attributes, const Dims& input);

// [output height, output width, channels]. Throws InvalidArgument (beginning with `where`) if that is more than
// kMaxElements.
Dims SlideWindow(const std::string& where, const Window& window, const Dims& input, int64_t channels);

}  // namespace bitgate

#endif  // BITGATE_MODELS_GRAPH_WINDOW_H_
