#include "ops/linalg/linalg.h"

#include "ops/elementwise/elementwise.h"
#include "ops/linalg/linalg_kernels.h"
#include "ops/operand.h"
#include "ops/reduce/reduce.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// Shapes are right; allocates, and knows what a product without terms is.
Tensor Product(Context& context, const char* op, const Tensor& a, const Tensor& b, const Tensor& bias,
               const MatMulParams& params) {
  const int64_t m = a.shape()[params.transpose_a ? 1 : 0], k = a.shape()[params.transpose_a ? 0 : 1];
  const int64_t n = b.shape()[params.transpose_b ? 0 : 1];
  if (m == 0 || n == 0 || k == 0) return Zeros(context, {m, n});
  Tensor y = Empty(context, {m, n});
  constexpr KernelTable<decltype(cpu::MatMul)> kKernels{&cpu::MatMul, BG_CUDA_KERNEL(MatMul)};
  kKernels.For(context.device(), op)(context.kernel(), y.view(), a.view(), b.view(), bias.view(), params);
  return y;
}

}  // namespace

Tensor Linear(Context& context, const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation,
              const OperandSteps& steps) {
  CheckOperand(context, "linear", "x", x, 2);
  CheckOperand(context, "linear", "w", w, 2);
  if (w.size() == 0 || w.shape()[1] != x.shape()[1]) {
    throw InvalidArgument("linear: expected w of shape [out, in] for x [n, in], none of them 0 but n, got w ",
                          w.shape(), " and x ", x.shape());
  }
  if (bias.defined()) CheckOperandShape(context, "linear", "bias", bias, {w.shape()[0]});
  CheckOperandSteps("linear", steps);
  Tensor y = Product(context, "linear", x, w, bias, {false, true, activation, steps});
  const Tensor saved = activation == Activation::kNone ? Tensor() : y;
  RecordOp(context, {&x, &w, &bias}, y,
           [x, w, saved, activation](Context& context, const Tensor& grad_y, GradientSink& sink) {
             const Tensor grad = ActivationGradient(context, activation, saved, grad_y);
             if (sink.Needs(0)) sink.Set(0, Product(context, "linear backward", grad, w, {}, {}));
             if (sink.Needs(1)) sink.Set(1, Product(context, "linear backward", grad, x, {}, {true, false}));
             if (sink.Needs(2)) sink.Set(2, SumRows(context, grad));
           });
  return y;
}

Tensor MatMul(Context& context, const Tensor& a, const Tensor& b, bool transpose_a, bool transpose_b) {
  CheckOperand(context, "matmul", "a", a, 2);
  CheckOperand(context, "matmul", "b", b, 2);
  if (a.shape()[transpose_a ? 0 : 1] != b.shape()[transpose_b ? 1 : 0]) {
    throw InvalidArgument("matmul: expected [m, k] by [k, n], got ", a.shape(), transpose_a ? " transposed" : "",
                          " by ", b.shape(), transpose_b ? " transposed" : "");
  }
  Tensor y = Product(context, "matmul", a, b, {}, {transpose_a, transpose_b});
  RecordOp(context, {&a, &b}, y,
           [a, b, ta = transpose_a, tb = transpose_b](Context& context, const Tensor& grad, GradientSink& sink) {
             // y = A B:  dA = dY B', dB = A' dY, each transposed back where the operand was.
             constexpr const char* kOp = "matmul backward";
             if (sink.Needs(0)) {
               sink.Set(0, ta ? Product(context, kOp, b, grad, {}, {tb, true})
                              : Product(context, kOp, grad, b, {}, {false, !tb}));
             }
             if (sink.Needs(1)) {
               sink.Set(1, tb ? Product(context, kOp, grad, a, {}, {true, ta})
                              : Product(context, kOp, a, grad, {}, {!ta, false}));
             }
           });
  return y;
}

}  // namespace bitgate
