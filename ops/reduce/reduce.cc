#include "ops/reduce/reduce.h"

#include "ops/operand.h"
#include "ops/reduce/reduce_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

Tensor SumOver(Context& context, const char* op, const Tensor& x, double divisor) {
  Tensor y = Empty(context, {});
  static const KernelTable<decltype(cpu::scalar::Sum)> kernels{BG_CPU_KERNEL(Sum), BG_CUDA_KERNEL(Sum)};
  kernels.For(context.device(), op)(context.kernel(), y.view(), x.view(), x.size(), divisor);
  RecordOp(context, {&x}, y, [shape = x.shape(), divisor](Context& context, const Tensor& grad_y, GradientSink& sink) {
    Tensor grad_x = Empty(context, shape);
    static const KernelTable<decltype(cpu::scalar::Fill)> kernels{BG_CPU_KERNEL(Fill), BG_CUDA_KERNEL(Fill)};
    kernels.For(context.device(), "sum backward")(context.kernel(), grad_x.view(), grad_y.view(), shape.size(),
                                                  divisor);
    sink.Set(0, grad_x);
  });
  return y;
}

}  // namespace

Tensor Sum(Context& context, const Tensor& x) {
  CheckOperand(context, "sum", "x", x);
  return SumOver(context, "sum", x, 1.0);
}

Tensor Mean(Context& context, const Tensor& x) {
  CheckOperand(context, "mean", "x", x);
  if (x.size() == 0) throw InvalidArgument("mean: expected at least one element, got shape ", x.shape());
  return SumOver(context, "mean", x, static_cast<double>(x.size()));
}

Tensor SumRows(Context& context, const Tensor& x) {
  CheckOperand(context, "sum_rows", "x", x, 2);
  const int64_t rows = x.shape()[0], columns = x.shape()[1];
  Tensor y = Empty(context, {columns});
  if (columns > 0) {
    static const KernelTable<decltype(cpu::scalar::SumRows)> kernels{BG_CPU_KERNEL(SumRows), BG_CUDA_KERNEL(SumRows)};
    kernels.For(context.device(), "sum_rows")(context.kernel(), y.view(), x.view(), rows, columns);
  }
  RecordOp(context, {&x}, y, [shape = x.shape()](Context& context, const Tensor& grad_y, GradientSink& sink) {
    Tensor grad_x = Empty(context, shape);
    static const KernelTable<decltype(cpu::scalar::RepeatRow)> kernels{BG_CPU_KERNEL(RepeatRow),
                                                                       BG_CUDA_KERNEL(RepeatRow)};
    if (shape.size() > 0) {
      kernels.For(context.device(), "sum_rows backward")(context.kernel(), grad_x.view(), grad_y.view(), shape[0],
                                                         shape[1]);
    }
    sink.Set(0, grad_x);
  });
  return y;
}

}  // namespace bitgate
