#include "ops/pool/pool.h"

#include "ops/operand.h"
#include "ops/pool/pool_kernels.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

Shape CheckAndInferShape(const Context& context, const char* op, const Tensor& x, const Pool2dParams& params) {
  CheckOperand(context, op, "x", x, 4);
  const Shape& s = x.shape();
  if (s[3] < 1) throw InvalidArgument(op, ": expected x with at least one channel, got shape ", s);
  if (params.padding[0] >= params.kernel[0] || params.padding[1] >= params.kernel[1]) {
    throw InvalidArgument(op, ": expected padding less than the kernel ", params.kernel[0], " x ", params.kernel[1],
                          ", got ", params.padding[0], " x ", params.padding[1]);
  }
  return {s[0], WindowPlaces(op, "height", s[1], params.kernel[0], params.stride[0], params.padding[0]),
          WindowPlaces(op, "width", s[2], params.kernel[1], params.stride[1], params.padding[1]), s[3]};
}

Tensor Pool2d(Context& context, const char* op, PoolKind kind, const Tensor& x, const Pool2dParams& params) {
  Tensor y = Empty(context, CheckAndInferShape(context, op, x, params));
  Tensor index;
  if (kind == PoolKind::kMax && IsRecording(context, {&x})) {
    index = Empty(context, y.shape(), MaxPoolIndexDType(params));
  }
  constexpr KernelTable<decltype(cpu::Pool2dForward)> kForward{&cpu::Pool2dForward, BG_CUDA_KERNEL(Pool2dForward)};
  auto& forward = kForward.For(context.device(), op);
  if (y.size() > 0) forward(context.kernel(), kind, y.view(), index.view(), x.view(), params);
  RecordOp(context, {&x}, y,
           [op, kind, params, index, shape = x.shape()](Context& context, const Tensor& grad_y, GradientSink& sink) {
             Tensor grad_x = Empty(context, shape);
             constexpr KernelTable<decltype(cpu::Pool2dBackward)> kBackward{&cpu::Pool2dBackward,
                                                                            BG_CUDA_KERNEL(Pool2dBackward)};
             auto& backward = kBackward.For(context.device(), op);
             if (grad_y.size() > 0) {
               backward(context.kernel(), kind, grad_x.view(), index.view(), grad_y.view(), params);
             }
             sink.Set(0, grad_x);
           });
  return y;
}

}  // namespace

Tensor MaxPool2d(Context& context, const Tensor& x, const Pool2dParams& params) {
  return Pool2d(context, "max_pool2d", PoolKind::kMax, x, params);
}

Tensor AveragePool2d(Context& context, const Tensor& x, const Pool2dParams& params) {
  return Pool2d(context, "average_pool2d", PoolKind::kAverage, x, params);
}

}  // namespace bitgate
