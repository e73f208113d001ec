// Products of codes: operands that are integer multiples of a step each, as quantizers make them.
#ifndef BITGATE_OPS_OPERAND_STEPS_H_
#define BITGATE_OPS_OPERAND_STEPS_H_

#include <cmath>

namespace bitgate {

// All values of an operand are (but for float32's rounding) its step times an integer in [-256, 256]; 0 and 0: nothing
// is known. With bfloat16 on the CPU such operands are divided by their steps, which bfloat16 then holds exactly, and
// the sum is multiplied by the steps' product, in float32, before bias and activation. While no partial sum of integer
// products can reach 2^24 the one rounding of a result is that of the multiplication. Elsewhere nothing changes, nor in
// gradients.
struct OperandSteps {
  float input = 0, weight = 0;

  bool given() const { return input != 0 || weight != 0; }
  // Whether float32 divides by them exactly enough: positive, and neither they nor their inverses and product underflow
  // or overflow.
  bool usable() const {
    return input > 0 && weight > 0 && std::isnormal(input) && std::isnormal(1 / input) && std::isnormal(weight) &&
           std::isnormal(1 / weight) && std::isnormal(input * weight);
  }
};

}  // namespace bitgate

#endif  // BITGATE_OPS_OPERAND_STEPS_H_
