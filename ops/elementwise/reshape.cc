#include "ops/elementwise/reshape.h"

#include "ops/operand.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

void CheckView(const Context& context, const char* op, const Tensor& x) {
  CheckOperand(context, op, "x", x, kAnyRank, x.dtype());
}

}  // namespace

Tensor Reshape(Context& context, const Tensor& x, const Shape& shape) {
  CheckView(context, "reshape", x);
  Tensor y = ReshapeView(x, shape);
  RecordOp(context, {&x}, y, [from = x.shape()](Context&, const Tensor& grad_y, GradientSink& sink) {
    sink.Set(0, ReshapeView(grad_y, from));
  });
  return y;
}

Tensor Flatten(Context& context, const Tensor& x) {
  CheckView(context, "flatten", x);
  if (x.shape().rank() < 1) throw InvalidArgument("flatten: expected x of rank 1 or more, got shape ", x.shape());
  int64_t features = 1;
  for (int axis = 1; axis < x.shape().rank(); ++axis) features *= x.shape()[axis];
  return Reshape(context, x, {x.shape()[0], features});
}

Tensor Slice(Context& context, const Tensor& x, int64_t begin, int64_t end) {
  CheckView(context, "slice", x);
  if (x.shape().rank() != 1) throw InvalidArgument("slice: expected x of rank 1, got shape ", x.shape());
  Tensor y = SliceView(x, 0, begin, end);
  RecordSlice(context, x, y, begin);
  return y;
}

}  // namespace bitgate
