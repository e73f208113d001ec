#include "ops/operand.h"

#include "runtime/base/error.h"

namespace bitgate {

void CheckOperand(const Context& context, const char* op, const char* operand, const Tensor& tensor, int rank,
                  DType dtype) {
  if (!tensor.defined()) throw InvalidArgument(op, ": expected ", operand, " to be defined, got an undefined tensor");
  if (tensor.dtype() != dtype) {
    throw InvalidArgument(op, ": expected ", operand, " of dtype ", ToString(dtype), ", got ",
                          ToString(tensor.dtype()));
  }
  if (rank != kAnyRank && tensor.shape().rank() != rank) {
    throw InvalidArgument(op, ": expected ", operand, " of rank ", rank, ", got shape ", tensor.shape());
  }
  if (tensor.device() != context.device()) {
    throw InvalidArgument(op, ": expected ", operand, " on ", ToString(context.device()), ", got it on ",
                          ToString(tensor.device()));
  }
  if (!tensor.contiguous()) {
    throw InvalidArgument(op, ": expected ", operand, " to be contiguous, got a strided view of shape ",
                          tensor.shape());
  }
}

void CheckOperandShape(const Context& context, const char* op, const char* operand, const Tensor& tensor,
                       const Shape& shape, DType dtype) {
  CheckOperand(context, op, operand, tensor, kAnyRank, dtype);
  if (tensor.shape() != shape) {
    throw InvalidArgument(op, ": expected ", operand, " of shape ", shape, ", got ", tensor.shape());
  }
}

void CheckOperandSteps(const char* op, const OperandSteps& steps) {
  if (!steps.given() || steps.usable()) return;
  throw InvalidArgument(op, ": expected operand steps that are positive, or both 0, got ", steps.input,
                        " of the input and ", steps.weight, " of the weight");
}

int64_t WindowPlaces(const char* op, const char* axis, int64_t size, int64_t kernel, int64_t stride, int64_t padding) {
  if (kernel < 1 || stride < 1) {
    throw InvalidArgument(op, ": expected kernel and stride of at least 1, got kernel ", kernel, " and stride ", stride,
                          " along the ", axis);
  }
  if (stride > kMaxStride) {
    throw InvalidArgument(op, ": expected stride of at most ", kMaxStride, " along the ", axis, ", got ", stride);
  }
  if (padding < 0 || padding > kMaxPadding) {
    throw InvalidArgument(op, ": expected padding in [0, ", kMaxPadding, "] along the ", axis, ", got ", padding);
  }
  if (size < 1 || size - kernel + padding < -padding) {
    throw InvalidArgument(op, ": expected ", axis, " + 2 padding of at least the kernel's ", kernel, ", got ", axis,
                          " ", size, " and padding ", padding);
  }
  return (size - kernel + 2 * padding) / stride + 1;
}

}  // namespace bitgate
