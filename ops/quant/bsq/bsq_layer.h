// What happens to BSQ's planes between steps: from float weights, re-quantization, precision adjustment, codes.
//
// All of it on the host, in time proportional to the planes, and exactly as BsqWeight rounds: it runs once in many
// epochs. Nothing is recorded.
#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_LAYER_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_LAYER_H_

#include <cstdint>
#include <vector>

#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

// A weight tensor in bit planes, as BsqWeight takes it. Results are [2 bits, elements], digits 0 or 1.
struct BsqLayer {
  Tensor planes;  // [2 bits or more, elements...]
  Tensor scale;   // [1]
  int bits = 0;   // 1 to 8
};

// All of these throw InvalidArgument on shapes, dtypes or bits that do not fit, and for values that are not finite.

// scale = max |weight|, codes round(|weight| (2^bits - 1) / scale), the positive ones in P, the negative ones in M.
BsqLayer BsqFromFloat(Context& context, const Tensor& weight, int bits);

// Step 1 (arXiv 2102.10462, section 3.2): planes become the digits of the codes. If a code is beyond 2^bits - 1 and
// bits < 8 there is one more plane, and saturated weights take their larger value; at 8 bits codes saturate. All other
// weights stay what they are, up to rounding of the scale.
BsqLayer BsqRequantize(Context& context, const BsqLayer& layer);

// Step 1, then leading planes that are 0 everywhere are dropped, and trailing ones; one plane stays. No weight changes,
// up to rounding of the scale. All codes 0: bits is 1 and the planes are 0, which is what a layer of 0 bits is.
// The optimizer's moments belong to the old planes.
BsqLayer BsqAdjust(Context& context, const BsqLayer& layer);

// scale * u of every weight, [elements]: what BsqWeight rounds, not saturated either.
Tensor BsqFloat(Context& context, const BsqLayer& layer);

// Q(u) (2^bits - 1) of every weight, -(2^bits - 1) to 2^bits - 1: BsqWeight gives scale * (code / (2^bits - 1)).
std::vector<int32_t> BsqCodes(Context& context, const BsqLayer& layer);

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_LAYER_H_
