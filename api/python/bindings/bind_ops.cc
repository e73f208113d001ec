// The ops of ops/op_list.inc that know nothing of quantization, as functions of the module `ops`.
#include <pybind11/stl.h>

#include <limits>
#include <string>
#include <vector>

#include "api/python/bindings/arguments.h"
#include "api/python/bindings/bindings.h"
#include "api/python/bindings/number.h"
#include "api/python/bindings/sessions.h"
#include "ops/conv/conv.h"
#include "ops/elementwise/elementwise.h"
#include "ops/elementwise/pad_channels.h"
#include "ops/elementwise/reshape.h"
#include "ops/linalg/linalg.h"
#include "ops/loss/loss.h"
#include "ops/norm/folded_norm.h"
#include "ops/norm/norm.h"
#include "ops/optim/optim.h"
#include "ops/pool/pool.h"
#include "ops/reduce/reduce.h"

namespace bitgate::python {
namespace {

using OptionalName = std::optional<std::string>;

// Work for each element of the operands, roughly, where it is much more than one addition.
constexpr int64_t kProductWeight = 16, kConvWeight = 64;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

py::arg Operand(const char* name) { return py::arg(name).none(false); }

TensorHandle Conv2dOp(const TensorHandle& x, const TensorHandle& w, const TensorHandle& bias,
                      const PairArgument& stride, const PairArgument& padding, int64_t groups,
                      const OptionalName& activation) {
  const Conv2dParams params{PairOf(stride), PairOf(padding), groups, ActivationOf(activation)};
  return Apply(
      kConvWeight,
      [&](Context& context, const Tensor& x, const Tensor& w, const Tensor& bias) {
        return Conv2d(context, x, w, bias, params);
      },
      x, w, bias);
}

TensorHandle LinearOp(const TensorHandle& x, const TensorHandle& w, const TensorHandle& bias,
                      const OptionalName& activation) {
  const Activation applied = ActivationOf(activation);
  return Apply(
      kProductWeight,
      [&](Context& context, const Tensor& x, const Tensor& w, const Tensor& bias) {
        return Linear(context, x, w, bias, applied);
      },
      x, w, bias);
}

TensorHandle MatMulOp(const TensorHandle& a, const TensorHandle& b, bool transpose_a, bool transpose_b) {
  return Apply(
      kProductWeight,
      [&](Context& context, const Tensor& a, const Tensor& b) {
        return MatMul(context, a, b, transpose_a, transpose_b);
      },
      a, b);
}

template <Tensor (*op)(Context&, const Tensor&)>
TensorHandle Unary(const TensorHandle& x) {
  return Apply(
      1, [](Context& context, const Tensor& x) { return op(context, x); }, x);
}

template <class Op>
TensorHandle Binary(const Op& op, const TensorHandle& a, const TensorHandle& b) {
  return Apply(1, op, a, b);
}

template <Tensor (*op)(Context&, const Tensor&, const Pool2dParams&)>
TensorHandle Pool(const TensorHandle& x, const PairArgument& kernel, const std::optional<PairArgument>& stride,
                  const PairArgument& padding) {
  const Pool2dParams params{PairOf(kernel), PairOf(stride.value_or(kernel)), PairOf(padding)};
  return Apply(
      1, [&](Context& context, const Tensor& x) { return op(context, x, params); }, x);
}

TensorHandle BatchNormOp(const TensorHandle& x, const TensorHandle& gamma, const TensorHandle& beta,
                         const TensorHandle& running_mean, const TensorHandle& running_variance, bool training,
                         float momentum, float epsilon, const OptionalName& activation) {
  const BatchNormParams params{training, momentum, epsilon, ActivationOf(activation)};
  return Apply(
      1,
      [&](Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
          const Tensor& variance) { return BatchNorm(context, x, gamma, beta, mean, variance, params); },
      x, gamma, beta, running_mean, running_variance);
}

TensorHandle FoldedGainOp(const TensorHandle& gamma, const TensorHandle& running_variance, float epsilon) {
  return Apply(
      1,
      [&](Context& context, const Tensor& gamma, const Tensor& variance) {
        return FoldedGain(context, gamma, variance, epsilon);
      },
      gamma, running_variance);
}

TensorHandle FoldedShiftOp(const TensorHandle& gamma, const TensorHandle& beta, const TensorHandle& running_mean,
                           const TensorHandle& running_variance, float epsilon) {
  return Apply(
      1,
      [&](Context& context, const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& variance) {
        return FoldedShift(context, gamma, beta, mean, variance, epsilon);
      },
      gamma, beta, running_mean, running_variance);
}

TensorHandle FoldedBatchNormOp(const TensorHandle& x, const TensorHandle& statistics, const TensorHandle& gamma,
                               const TensorHandle& beta, const TensorHandle& running_variance, float epsilon,
                               const OptionalName& activation) {
  const FoldedBatchNormParams params{epsilon, ActivationOf(activation)};
  return Apply(
      1,
      [&](Context& context, const Tensor& x, const Tensor& statistics, const Tensor& gamma, const Tensor& beta,
          const Tensor& variance) { return FoldedBatchNorm(context, x, statistics, gamma, beta, variance, params); },
      x, statistics, gamma, beta, running_variance);
}

TensorHandle FoldedBatchNormOfResultOp(const TensorHandle& x, const TensorHandle& gamma, const TensorHandle& beta,
                                       const TensorHandle& running_mean, const TensorHandle& running_variance,
                                       const TensorHandle& gates, const TensorHandle& statistics, float momentum,
                                       float epsilon, const OptionalName& activation) {
  FoldedBatchNormOfResultParams params{momentum, epsilon, ActivationOf(activation), {}};
  return Apply(
      1,
      [&](Context& context, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
          const Tensor& variance, const Tensor& gates, const Tensor& statistics) {
        params.statistics = statistics;
        return FoldedBatchNormOfResult(context, x, gamma, beta, gates, mean, variance, params);
      },
      x, gamma, beta, running_mean, running_variance, gates, statistics);
}

void UpdateRunningStatisticsOp(const TensorHandle& running_mean, const TensorHandle& running_variance,
                               const TensorHandle& statistics, int64_t rows, float momentum) {
  const Entry entry;
  Context& context = SessionOn(running_mean->value.device()).context();
  UpdateRunningStatistics(context, running_mean->value, running_variance->value, statistics->value, rows, momentum);
}

int64_t CountCorrectOp(const TensorHandle& logits, const TensorHandle& labels) {
  const Entry entry;
  api::Session& session = SessionOn(logits->value.device());
  const bool waits = logits->value.device().type != DeviceType::kCpu;  // for all that is queued
  const Unlocked unlocked(waits || Elements(logits) > kLongWork);
  return CountCorrect(session.context(), logits->value, labels->value);
}

// -- Optimizer steps -------------------------------------------------------------------------------

Tensor ValueOf(const TensorHandle& tensor) { return tensor.get() == nullptr ? Tensor() : tensor->value.Detached(); }

ParameterUpdate UpdateOf(const TensorHandle& parameter, const TensorHandle& gradient, const TensorHandle& first_moment,
                         const TensorHandle& second_moment, float low, float high) {
  ParameterUpdate update;
  update.parameter = ValueOf(parameter);
  update.gradient = ValueOf(gradient);
  update.first_moment = ValueOf(first_moment);
  update.second_moment = ValueOf(second_moment);
  update.low = low;
  update.high = high;
  return update;
}

void AdamStepOp(const TensorHandle& parameter, const TensorHandle& gradient, const TensorHandle& first_moment,
                const TensorHandle& second_moment, int64_t step, double learning_rate, double beta1, double beta2,
                double epsilon, double weight_decay, float low, float high) {
  const Entry entry;
  const std::vector<ParameterUpdate> updates = {UpdateOf(parameter, gradient, first_moment, second_moment, low, high)};
  Context& context = SessionOn(parameter->value.device()).context();
  const Unlocked unlocked(Elements(parameter) > kLongWork);
  AdamStep(context, updates, {learning_rate, beta1, beta2, epsilon, weight_decay}, step);
}

void SgdStepOp(const TensorHandle& parameter, const TensorHandle& gradient, const TensorHandle& first_moment,
               double learning_rate, double momentum, bool nesterov, double weight_decay, float low, float high) {
  const Entry entry;
  const std::vector<ParameterUpdate> updates = {UpdateOf(parameter, gradient, first_moment, {}, low, high)};
  Context& context = SessionOn(parameter->value.device()).context();
  const Unlocked unlocked(Elements(parameter) > kLongWork);
  SgdStep(context, updates, {learning_rate, momentum, nesterov, weight_decay});
}

// -- Names -----------------------------------------------------------------------------------------

void BindProducts(py::module_& ops) {
  ops.def("conv2d", Conv2dOp, Operand("x"), Operand("w"), py::arg("bias") = py::none(), py::kw_only(),
          py::arg("stride") = 1, py::arg("padding") = 0, py::arg("groups") = 1, py::arg("activation") = py::none(),
          R"(Two-dimensional convolution.

Args:
  x: images [n, h, w, c].
  w: weights [o, kh, kw, c / groups].
  bias: [o], or None.
  stride, padding: one number, or (height, width); padding is with zeros on both sides.
  groups: output channels come in so many equal runs, each reading its own run of input channels.
  activation: None, or "relu", applied in the same pass.

Returns [n, p, q, o]. Differentiable. Raises ValueError for shapes and dtypes that do not fit.)");
  ops.def("linear", LinearOp, Operand("x"), Operand("w"), py::arg("bias") = py::none(), py::kw_only(),
          py::arg("activation") = py::none(), R"(activation(x w^T + bias).

x [n, in], w [out, in], bias [out] or None; activation None or "relu". Returns [n, out]. Differentiable. Raises
ValueError for shapes and dtypes that do not fit.)");
  ops.def("mat_mul", MatMulOp, Operand("a"), Operand("b"), py::kw_only(), py::arg("transpose_a") = false,
          py::arg("transpose_b") = false, R"(The product of two matrices, each transposed first if asked.

[m, k] by [k, n] gives [m, n]. Differentiable. Raises ValueError for shapes and dtypes that do not fit.)");
}

void BindElementwise(py::module_& ops) {
  ops.def("sum", Unary<Sum>, Operand("x"), "All elements to a scalar, accumulated in double. Differentiable.");
  ops.def("mean", Unary<Mean>, Operand("x"),
          "The mean of all elements, a scalar. Raises ValueError when there is none. Differentiable.");
  ops.def("sum_rows", Unary<SumRows>, Operand("x"), "[n, c] to [c]: the sum over rows. Differentiable.");
  ops.def("relu", Unary<Relu>, Operand("x"), "max(x, 0) of each element. Differentiable.");
  ops.def(
      "add",
      [](const TensorHandle& a, const TensorHandle& b) {
        return Binary([](Context& context, const Tensor& a, const Tensor& b) { return Add(context, a, b); }, a, b);
      },
      Operand("a"), Operand("b"), "a + b, of equal shape (else ValueError). Differentiable.");
  ops.def(
      "mul",
      [](const TensorHandle& a, const TensorHandle& b) {
        return Binary([](Context& context, const Tensor& a, const Tensor& b) { return Mul(context, a, b); }, a, b);
      },
      Operand("a"), Operand("b"), "a * b element by element, of equal shape (else ValueError). Differentiable.");
  ops.def(
      "scale",
      [](const TensorHandle& x, Number factor) {
        return Apply(
            1, [&](Context& context, const Tensor& x) { return Scale(context, x, static_cast<float>(factor.value)); },
            x);
      },
      Operand("x"), py::arg("factor"), "factor * x, for a number. Differentiable.");
}

void BindShapes(py::module_& ops) {
  ops.def(
      "reshape",
      [](const TensorHandle& x, const std::vector<int64_t>& shape) {
        const Shape checked(shape);
        return Apply(
            0, [&](Context& context, const Tensor& x) { return Reshape(context, x, checked); }, x);
      },
      Operand("x"), py::arg("shape"),
      "The same elements under another shape, without a copy. Any dtype. Raises ValueError when the counts differ.");
  ops.def("flatten", Unary<Flatten>, Operand("x"), "[n, ...] to [n, k], without a copy. Any dtype. Differentiable.");
  ops.def(
      "slice",
      [](const TensorHandle& x, int64_t begin, int64_t end) {
        return Apply(
            0, [&](Context& context, const Tensor& x) { return Slice(context, x, begin, end); }, x);
      },
      Operand("x"), py::arg("begin"), py::arg("end"),
      "Elements [begin, end) of a tensor of one dimension, without a copy. Any dtype. Differentiable.");
  ops.def(
      "pad_channels",
      [](const TensorHandle& x, int64_t channels) {
        return Apply(
            1, [&](Context& context, const Tensor& x) { return PadChannels(context, x, channels); }, x);
      },
      Operand("x"), py::arg("channels"), R"([..., c] to [..., channels]: zeros around the channels of x.

(channels - c) // 2 of them before, the rest behind. Differentiable. Raises ValueError for fewer channels than c.)");
  constexpr char kPool[] = R"(x [n, h, w, c]; kernel, stride (None: the kernel) and padding are one number, or (height,
width); padding is less than the kernel. Returns [n, p, q, c]. Differentiable. Raises ValueError for what does not
fit.)";
  const auto pool = [&](const char* name, auto function, const char* what) {
    ops.def(name, function, Operand("x"), py::arg("kernel") = 2, py::kw_only(), py::arg("stride") = py::none(),
            py::arg("padding") = 0, (std::string(what) + "\n\n" + kPool).c_str());
  };
  pool("max_pool2d", Pool<MaxPool2d>, "The largest element of each window; padding never is.");
  pool("average_pool2d", Pool<AveragePool2d>, "The mean of each window; padding is not counted.");
}

void BindNorms(py::module_& ops) {
  ops.def("batch_norm", BatchNormOp, Operand("x"), Operand("gamma"), Operand("beta"), Operand("running_mean"),
          Operand("running_variance"), py::kw_only(), py::arg("training") = true, py::arg("momentum") = 0.1f,
          py::arg("epsilon") = 1e-5f, py::arg("activation") = py::none(),
          R"(Batch normalisation: activation(gamma (x - mean) / sqrt(variance + epsilon) + beta).

x [..., c], all others [c]; mean and (biased) variance of each channel are over all but the last dimension. In training
they are those of x, and the running statistics move towards them in place, by momentum (the variance's unbiased);
otherwise they are the running ones, constants. activation: None or "relu". Differentiable by x, gamma and beta. Raises
ValueError for shapes, dtypes and numbers that do not fit.)");
  ops.def("channel_statistics", Unary<ChannelStatistics>, Operand("x"),
          R"([..., c] to [2, c]: mean and biased variance of each channel, over all but the last dimension.

Differentiable. Raises ValueError where a channel has no values.)");
}

void BindFoldedNorms(py::module_& ops) {
  ops.def(
      "scale_rows",
      [](const TensorHandle& w, const TensorHandle& gain) {
        return Binary([](Context& context, const Tensor& w, const Tensor& gain) { return ScaleRows(context, w, gain); },
                      w, gain);
      },
      Operand("w"), Operand("gain"), "Each row of w [o, ...] times its gain [o] (else ValueError). Differentiable.");
  ops.def("folded_gain", FoldedGainOp, Operand("gamma"), Operand("running_variance"), py::kw_only(),
          py::arg("epsilon") = 1e-5f,
          R"(gamma / sqrt(running_variance + epsilon): what batch norm is to a weight that it is folded into.

All [c]. Differentiable by gamma. Raises ValueError for shapes and numbers that do not fit.)");
  ops.def("folded_shift", FoldedShiftOp, Operand("gamma"), Operand("beta"), Operand("running_mean"),
          Operand("running_variance"), py::kw_only(), py::arg("epsilon") = 1e-5f,
          R"(beta - gamma running_mean / sqrt(running_variance + epsilon): the bias of a layer with folded batch norm.

All [c]. Differentiable by gamma and beta. Raises ValueError for shapes and numbers that do not fit.)");
  ops.def("folded_batch_norm", FoldedBatchNormOp, Operand("x"), Operand("statistics"), Operand("gamma"),
          Operand("beta"), Operand("running_variance"), py::kw_only(), py::arg("epsilon") = 1e-5f,
          py::arg("activation") = py::none(),
          R"(Batch norm in training, where it is folded into a quantized weight (arXiv 2005.07093).

activation(x sigma_run / sigma_batch + beta - gamma mean / sigma_batch): x [..., c] is the result of the folded weight,
statistics [2, c] are the channel_statistics of the float weight's, sigma the root of a variance + epsilon; all others
[c]. activation: None or "relu". The running statistics stay as they are: update_running_statistics. Differentiable by
x, statistics, gamma and beta. Raises ValueError for shapes, dtypes and numbers that do not fit.)");
  ops.def("folded_batch_norm_of_result", FoldedBatchNormOfResultOp, Operand("x"), Operand("gamma"), Operand("beta"),
          Operand("running_mean"), Operand("running_variance"), py::arg("gates") = py::none(), py::kw_only(),
          py::arg("statistics") = py::none(), py::arg("momentum") = 0.1f, py::arg("epsilon") = 1e-5f,
          py::arg("activation") = py::none(),
          R"(The same by the statistics of x itself, the gain = gamma / sigma_run of its weight undone.

activation(sigma_run (x - mean) / sqrt(variance / gain^2 + epsilon) + beta), and beta where the gain is 0. The running
statistics move towards mean / gain and variance / gain^2 in place, by momentum. gates [c]: by what the channels of x
were multiplied (bayesian_bits), or None; mean is then that of x over its gate, variance over its square, and a channel
whose gate is below 1/16 keeps its running statistics and is normalised by them. statistics [2, c]: the
channel_statistics of the float weight's result, constants, which take the place of those of x in all of this; their
gradient goes to x, straight through quantizing. activation: None or "relu".
Differentiable by x, gamma, beta and gates. Raises ValueError for shapes, dtypes and numbers that do not fit.)");
  ops.def("update_running_statistics", UpdateRunningStatisticsOp, Operand("running_mean"), Operand("running_variance"),
          Operand("statistics"), py::arg("rows"), py::kw_only(), py::arg("momentum") = 0.1f,
          R"(Moves running statistics towards a batch's, by momentum. In place.

statistics [2, c] are the channel_statistics of `rows` values a channel; the variance is made unbiased. Raises
ValueError for operands that do not fit together.)");
}

void BindLosses(py::module_& ops) {
  ops.def(
      "softmax_cross_entropy",
      [](const TensorHandle& logits, const TensorHandle& labels) {
        return Binary([](Context& context, const Tensor& logits,
                         const Tensor& labels) { return SoftmaxCrossEntropy(context, logits, labels); },
                      logits, labels);
      },
      Operand("logits"), Operand("labels"), R"(The mean over rows of -log softmax(logits)[label], a scalar.

logits float32 [n, c], labels int32 [n] in [0, c); else ValueError, but for a label out of range on a
GPU, which is not waited for: the result is NaN then. Differentiable by logits.)");
  ops.def("count_correct", CountCorrectOp, Operand("logits"), Operand("labels"),
          "In how many rows of logits [n, c] the largest (of several, the first) is at the label; labels int32 [n].");
}

void BindOptimizers(py::module_& ops) {
  ops.def("adam_step", AdamStepOp, Operand("parameter"), py::arg("gradient"), Operand("first_moment"),
          Operand("second_moment"), py::kw_only(), py::arg("step"), py::arg("learning_rate") = 1e-3,
          py::arg("beta1") = 0.9, py::arg("beta2") = 0.999, py::arg("epsilon") = 1e-8, py::arg("weight_decay") = 0.0,
          py::arg("low") = -kInfinity, py::arg("high") = kInfinity,
          R"(One step of Adam (arXiv 1412.6980, algorithm 1), as PyTorch computes it. In place.

Overwrites parameter and both moments, which are zeros before step 1. gradient None stands for zeros. The parameter is
then clamped to [low, high]. Raises ValueError for operands that do not fit together.)");
  ops.def("sgd_step", SgdStepOp, Operand("parameter"), py::arg("gradient"), py::arg("first_moment") = py::none(),
          py::kw_only(), py::arg("learning_rate") = 1e-2, py::arg("momentum") = 0.0, py::arg("nesterov") = false,
          py::arg("weight_decay") = 0.0, py::arg("low") = -kInfinity, py::arg("high") = kInfinity,
          R"(One step of stochastic gradient descent, as PyTorch computes it. In place.

Overwrites parameter, and first_moment where momentum is not 0 (None will do otherwise). gradient None stands for zeros.
Raises ValueError for operands that do not fit together, and for nesterov without momentum.)");
}

}  // namespace

void BindOps(py::module_& m) {
  py::module_ ops = m.attr("ops");
  BindProducts(ops);
  BindElementwise(ops);
  BindShapes(ops);
  BindNorms(ops);
  BindFoldedNorms(ops);
  BindLosses(ops);
  BindOptimizers(ops);
}

}  // namespace bitgate::python
