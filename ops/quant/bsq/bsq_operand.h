// The check that everything of BSQ makes of its planes.
#ifndef BITGATE_OPS_QUANT_BSQ_BSQ_OPERAND_H_
#define BITGATE_OPS_QUANT_BSQ_BSQ_OPERAND_H_

#include "ops/operand.h"
#include "ops/quant/bsq/bsq_math.h"
#include "runtime/base/error.h"

namespace bitgate {

inline void CheckBsqBits(const char* op, int bits, int most) {
  if (bits < 1 || bits > most) throw InvalidArgument(op, ": expected 1 to ", most, " bits, got ", bits);
}

// The elements of a row. Throws InvalidArgument unless planes are [2 bits or more, elements...].
inline int64_t CheckBsqPlanes(const Context& context, const char* op, const Tensor& planes, int bits) {
  CheckBsqBits(op, bits, kBsqMaxBits);
  CheckOperand(context, op, "planes", planes);
  if (planes.shape().rank() < 2 || planes.shape()[0] < 2 * bits) {
    throw InvalidArgument(op, ": expected planes with at least ", 2 * bits, " rows for ", bits, " bits, got shape ",
                          planes.shape());
  }
  return planes.size() / planes.shape()[0];
}

}  // namespace bitgate

#endif  // BITGATE_OPS_QUANT_BSQ_BSQ_OPERAND_H_
