// Checks that every op makes of its operands before it looks at shapes.
#ifndef BITGATE_OPS_OPERAND_H_
#define BITGATE_OPS_OPERAND_H_

#include "ops/operand_steps.h"
#include "runtime/device/context.h"
#include "runtime/tensor/tensor.h"

namespace bitgate {

constexpr int kAnyRank = -1;
constexpr int64_t kMaxStride = int64_t{1} << 20;   // of a window; libraries below know fewer than 64 bits
constexpr int64_t kMaxPadding = int64_t{1} << 20;  // of a window; more is a mistake, and this much cannot overflow

// Throws InvalidArgument, naming `op` and `operand`, unless `tensor` is defined, contiguous, of `dtype` and `rank`, and
// on the context's device.
void CheckOperand(const Context& context, const char* op, const char* operand, const Tensor& tensor,
                  int rank = kAnyRank, DType dtype = DType::kFloat32);

// As above, and of exactly this shape.
void CheckOperandShape(const Context& context, const char* op, const char* operand, const Tensor& tensor,
                       const Shape& shape, DType dtype = DType::kFloat32);

// Throws InvalidArgument, naming `op`, unless the steps are usable or not given.
void CheckOperandSteps(const char* op, const OperandSteps& steps);

// The number of places a window of `kernel` elements takes in `size` elements with `padding` on both sides, `stride`
// apart. Throws InvalidArgument, naming `op` and `axis` ("height"), unless the kernel is at least 1, the stride in
// [1, kMaxStride], padding in [0, kMaxPadding], and the window fits.
int64_t WindowPlaces(const char* op, const char* axis, int64_t size, int64_t kernel, int64_t stride, int64_t padding);

}  // namespace bitgate

#endif  // BITGATE_OPS_OPERAND_H_
