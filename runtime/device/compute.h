// How products and convolutions compute; everything else is float32.
#ifndef BITGATE_RUNTIME_DEVICE_COMPUTE_H_
#define BITGATE_RUNTIME_DEVICE_COMPUTE_H_

#include <string_view>

namespace bitgate {

enum class Compute : int {
  kFloat32 = 0,  // as the operands are
  kTf32 = 1,     // inputs rounded to 10 bits of mantissa inside the GPU's matrix units
  // Inputs rounded to bfloat16, sums in float32; a convolution on a GPU rounds its results, gradients included, as
  // well.
  kBfloat16 = 2,
};

// "float32", "tf32", "bfloat16".
const char* ToString(Compute compute);

// The inverse. Throws InvalidArgument on anything else.
Compute ParseCompute(std::string_view text);

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_COMPUTE_H_
