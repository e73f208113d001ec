#include "api/c/run_op.h"
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

namespace bitgate::c {
namespace {

Activation CheckedActivation(const char* function, int32_t activation) {
  if (activation == BG_ACTIVATION_NONE) return Activation::kNone;
  if (activation == BG_ACTIVATION_RELU) return Activation::kRelu;
  throw InvalidArgument(function, ": expected a bg_activation, got ", activation);
}

int64_t OrElse(int64_t value, int64_t otherwise) { return value == 0 ? otherwise : value; }
float OrElse(float value, float otherwise) { return value == 0 ? otherwise : value; }
double OrElse(double value, double otherwise) { return value == 0 ? otherwise : value; }

// 0 is what a field holds that was forgotten; the rest is the op's to check.
double CheckedLearningRate(const char* function, double learning_rate) {
  if (learning_rate > 0) return learning_rate;
  throw InvalidArgument(function, ": expected a learning_rate above 0, got ", learning_rate);
}

Conv2dParams ConvParams(const bg_conv2d_params* given) {
  const bg_conv2d_params params = ReadStruct("bg_conv2d", "params", given);
  Conv2dParams result;
  for (int axis = 0; axis < 2; ++axis) {
    result.stride[axis] = OrElse(params.stride[axis], int64_t{1});
    result.padding[axis] = params.padding[axis];
  }
  result.groups = OrElse(params.groups, int64_t{1});
  result.activation = CheckedActivation("bg_conv2d", params.activation);
  return result;
}

Pool2dParams PoolParams(const char* function, const bg_pool2d_params* given) {
  const bg_pool2d_params params = ReadStruct(function, "params", given);
  Pool2dParams result;
  for (int axis = 0; axis < 2; ++axis) {
    result.kernel[axis] = OrElse(params.kernel[axis], int64_t{2});
    result.stride[axis] = OrElse(params.stride[axis], result.kernel[axis]);
    result.padding[axis] = params.padding[axis];
  }
  return result;
}

BatchNormParams NormParams(const bg_batch_norm_params* given) {
  const bg_batch_norm_params params = ReadStruct("bg_batch_norm", "params", given);
  BatchNormParams result;
  result.training = params.inference == 0;
  result.momentum = OrElse(params.momentum, result.momentum);
  result.epsilon = OrElse(params.epsilon, result.epsilon);
  result.activation = CheckedActivation("bg_batch_norm", params.activation);
  return result;
}

// All but the statistics, which are an operand.
FoldedBatchNormOfResultParams FoldedParams(const char* function, const bg_folded_norm_params& params) {
  FoldedBatchNormOfResultParams result;
  result.momentum = OrElse(params.momentum, result.momentum);
  result.epsilon = OrElse(params.epsilon, result.epsilon);
  result.activation = CheckedActivation(function, params.activation);
  return result;
}

}  // namespace
}  // namespace bitgate::c

using bitgate::Context;
using bitgate::c::Guard;
using bitgate::c::OpCall;
using bitgate::c::OrElse;
using bitgate::c::Require;
using bitgate::c::RunOp;
using bitgate::c::Tensors;

bg_status bg_conv2d(bg_context* context, bg_tensor* x, bg_tensor* w, bg_tensor* bias, const bg_conv2d_params* params,
                    bg_tensor** y) {
  return RunOp("bg_conv2d", context, {{"x", x}, {"w", w}, {"bias", bias, true}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::Conv2d(context, operands[0], operands[1], operands[2], bitgate::c::ConvParams(params));
               });
}

bg_status bg_linear(bg_context* context, bg_tensor* x, bg_tensor* w, bg_tensor* bias, bg_activation activation,
                    bg_tensor** y) {
  return RunOp("bg_linear", context, {{"x", x}, {"w", w}, {"bias", bias, true}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::Linear(context, operands[0], operands[1], operands[2],
                                        bitgate::c::CheckedActivation("bg_linear", bitgate::c::NumberOf(activation)));
               });
}

bg_status bg_mat_mul(bg_context* context, bg_tensor* a, bg_tensor* b, int32_t transpose_a, int32_t transpose_b,
                     bg_tensor** y) {
  return RunOp("bg_mat_mul", context, {{"a", a}, {"b", b}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::MatMul(context, operands[0], operands[1], transpose_a != 0, transpose_b != 0);
  });
}

bg_status bg_sum(bg_context* context, bg_tensor* x, bg_tensor** y) {
  return RunOp("bg_sum", context, {{"x", x}}, y,
               [](Context& context, const Tensors& operands) { return bitgate::Sum(context, operands[0]); });
}

bg_status bg_mean(bg_context* context, bg_tensor* x, bg_tensor** y) {
  return RunOp("bg_mean", context, {{"x", x}}, y,
               [](Context& context, const Tensors& operands) { return bitgate::Mean(context, operands[0]); });
}

bg_status bg_sum_rows(bg_context* context, bg_tensor* x, bg_tensor** y) {
  return RunOp("bg_sum_rows", context, {{"x", x}}, y,
               [](Context& context, const Tensors& operands) { return bitgate::SumRows(context, operands[0]); });
}

bg_status bg_relu(bg_context* context, bg_tensor* x, bg_tensor** y) {
  return RunOp("bg_relu", context, {{"x", x}}, y,
               [](Context& context, const Tensors& operands) { return bitgate::Relu(context, operands[0]); });
}

bg_status bg_add(bg_context* context, bg_tensor* a, bg_tensor* b, bg_tensor** y) {
  return RunOp("bg_add", context, {{"a", a}, {"b", b}}, y, [](Context& context, const Tensors& operands) {
    return bitgate::Add(context, operands[0], operands[1]);
  });
}

bg_status bg_mul(bg_context* context, bg_tensor* a, bg_tensor* b, bg_tensor** y) {
  return RunOp("bg_mul", context, {{"a", a}, {"b", b}}, y, [](Context& context, const Tensors& operands) {
    return bitgate::Mul(context, operands[0], operands[1]);
  });
}

bg_status bg_scale(bg_context* context, bg_tensor* x, float factor, bg_tensor** y) {
  return RunOp("bg_scale", context, {{"x", x}}, y,
               [&](Context& context, const Tensors& operands) { return bitgate::Scale(context, operands[0], factor); });
}

bg_status bg_reshape(bg_context* context, bg_tensor* x, int32_t rank, const int64_t* dims, bg_tensor** y) {
  return RunOp("bg_reshape", context, {{"x", x}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::Reshape(context, operands[0], bitgate::c::ShapeOf("bg_reshape", rank, dims));
  });
}

bg_status bg_flatten(bg_context* context, bg_tensor* x, bg_tensor** y) {
  return RunOp("bg_flatten", context, {{"x", x}}, y,
               [](Context& context, const Tensors& operands) { return bitgate::Flatten(context, operands[0]); });
}

bg_status bg_slice(bg_context* context, bg_tensor* x, int64_t begin, int64_t end, bg_tensor** y) {
  return RunOp("bg_slice", context, {{"x", x}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::Slice(context, operands[0], begin, end);
  });
}

bg_status bg_pad_channels(bg_context* context, bg_tensor* x, int64_t channels, bg_tensor** y) {
  return RunOp("bg_pad_channels", context, {{"x", x}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::PadChannels(context, operands[0], channels);
  });
}

bg_status bg_max_pool2d(bg_context* context, bg_tensor* x, const bg_pool2d_params* params, bg_tensor** y) {
  return RunOp("bg_max_pool2d", context, {{"x", x}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::MaxPool2d(context, operands[0], bitgate::c::PoolParams("bg_max_pool2d", params));
  });
}

bg_status bg_average_pool2d(bg_context* context, bg_tensor* x, const bg_pool2d_params* params, bg_tensor** y) {
  return RunOp("bg_average_pool2d", context, {{"x", x}}, y, [&](Context& context, const Tensors& operands) {
    return bitgate::AveragePool2d(context, operands[0], bitgate::c::PoolParams("bg_average_pool2d", params));
  });
}

bg_status bg_batch_norm(bg_context* context, bg_tensor* x, bg_tensor* gamma, bg_tensor* beta, bg_tensor* running_mean,
                        bg_tensor* running_variance, const bg_batch_norm_params* params, bg_tensor** y) {
  return RunOp("bg_batch_norm", context,
               {{"x", x},
                {"gamma", gamma},
                {"beta", beta},
                {"running_mean", running_mean},
                {"running_variance", running_variance}},
               y, [&](Context& context, const Tensors& operands) {
                 return bitgate::BatchNorm(context, operands[0], operands[1], operands[2], operands[3], operands[4],
                                           bitgate::c::NormParams(params));
               });
}

bg_status bg_channel_statistics(bg_context* context, bg_tensor* x, bg_tensor** y) {
  return RunOp("bg_channel_statistics", context, {{"x", x}}, y, [](Context& context, const Tensors& operands) {
    return bitgate::ChannelStatistics(context, operands[0]);
  });
}

bg_status bg_scale_rows(bg_context* context, bg_tensor* w, bg_tensor* gain, bg_tensor** y) {
  return RunOp("bg_scale_rows", context, {{"w", w}, {"gain", gain}}, y, [](Context& context, const Tensors& operands) {
    return bitgate::ScaleRows(context, operands[0], operands[1]);
  });
}

bg_status bg_folded_gain(bg_context* context, bg_tensor* gamma, bg_tensor* running_variance, float epsilon,
                         bg_tensor** y) {
  return RunOp("bg_folded_gain", context, {{"gamma", gamma}, {"running_variance", running_variance}}, y,
               [&](Context& context, const Tensors& operands) {
                 return bitgate::FoldedGain(context, operands[0], operands[1], epsilon);
               });
}

bg_status bg_folded_shift(bg_context* context, bg_tensor* gamma, bg_tensor* beta, bg_tensor* running_mean,
                          bg_tensor* running_variance, float epsilon, bg_tensor** y) {
  return RunOp(
      "bg_folded_shift", context,
      {{"gamma", gamma}, {"beta", beta}, {"running_mean", running_mean}, {"running_variance", running_variance}}, y,
      [&](Context& context, const Tensors& operands) {
        return bitgate::FoldedShift(context, operands[0], operands[1], operands[2], operands[3], epsilon);
      });
}

bg_status bg_folded_batch_norm(bg_context* context, bg_tensor* x, bg_tensor* statistics, bg_tensor* gamma,
                               bg_tensor* beta, bg_tensor* running_variance, const bg_folded_norm_params* params,
                               bg_tensor** y) {
  constexpr const char* kName = "bg_folded_batch_norm";
  return RunOp(
      kName, context,
      {{"x", x}, {"statistics", statistics}, {"gamma", gamma}, {"beta", beta}, {"running_variance", running_variance}},
      y, [&](Context& context, const Tensors& operands) {
        const auto given = bitgate::c::FoldedParams(kName, bitgate::c::ReadStruct(kName, "params", params));
        return bitgate::FoldedBatchNorm(context, operands[0], operands[1], operands[2], operands[3], operands[4],
                                        {given.epsilon, given.activation});
      });
}

bg_status bg_folded_batch_norm_of_result(bg_context* context, bg_tensor* x, bg_tensor* gamma, bg_tensor* beta,
                                         bg_tensor* gates, bg_tensor* running_mean, bg_tensor* running_variance,
                                         const bg_folded_norm_params* params, bg_tensor** y) {
  constexpr const char* kName = "bg_folded_batch_norm_of_result";
  return Guard([&] {
    const bg_folded_norm_params given = bitgate::c::ReadStruct(kName, "params", params);
    OpCall call(kName, context,
                {{"x", x},
                 {"gamma", gamma},
                 {"beta", beta},
                 {"gates", gates, true},
                 {"running_mean", running_mean},
                 {"running_variance", running_variance},
                 {"statistics", given.statistics, true}});
    Require(kName, "y", y);
    *y = bitgate::c::NewTensor(call.Record([&](Context& context, const Tensors& operands) {
      bitgate::FoldedBatchNormOfResultParams of_result = bitgate::c::FoldedParams(kName, given);
      of_result.statistics = operands[6];
      return bitgate::FoldedBatchNormOfResult(context, operands[0], operands[1], operands[2], operands[3], operands[4],
                                              operands[5], of_result);
    }));
  });
}

bg_status bg_update_running_statistics(bg_context* context, bg_tensor* running_mean, bg_tensor* running_variance,
                                       bg_tensor* statistics, int64_t rows, float momentum) {
  return Guard([&] {
    OpCall call("bg_update_running_statistics", context,
                {{"running_mean", running_mean}, {"running_variance", running_variance}, {"statistics", statistics}});
    const Tensors operands = call.Values();
    bitgate::UpdateRunningStatistics(call.context(), operands[0], operands[1], operands[2], rows, momentum);
  });
}

bg_status bg_softmax_cross_entropy(bg_context* context, bg_tensor* logits, bg_tensor* labels, bg_tensor** y) {
  return RunOp("bg_softmax_cross_entropy", context, {{"logits", logits}, {"labels", labels}}, y,
               [](Context& context, const Tensors& operands) {
                 return bitgate::SoftmaxCrossEntropy(context, operands[0], operands[1]);
               });
}

bg_status bg_count_correct(bg_context* context, bg_tensor* logits, bg_tensor* labels, int64_t* count) {
  return Guard([&] {
    OpCall call("bg_count_correct", context, {{"logits", logits}, {"labels", labels}});
    Require("bg_count_correct", "count", count);
    const Tensors operands = call.Values();
    *count = bitgate::CountCorrect(call.context(), operands[0], operands[1]);
  });
}

bg_status bg_adam_step(bg_context* context, bg_tensor* parameter, bg_tensor* gradient, bg_tensor* first_moment,
                       bg_tensor* second_moment, const bg_adam_params* params) {
  return Guard([&] {
    OpCall call("bg_adam_step", context,
                {{"parameter", parameter},
                 {"gradient", gradient},
                 {"first_moment", first_moment},
                 {"second_moment", second_moment}});
    const bg_adam_params given =
        bitgate::c::ReadStruct("bg_adam_step", "params", &Require("bg_adam_step", "params", params));
    const Tensors operands = call.Values();
    bitgate::ParameterUpdate update;
    update.parameter = operands[0];
    update.gradient = operands[1];
    update.first_moment = operands[2];
    update.second_moment = operands[3];
    bitgate::AdamOptions options;
    options.learning_rate = bitgate::c::CheckedLearningRate("bg_adam_step", given.learning_rate);
    options.beta1 = OrElse(given.beta1, options.beta1);
    options.beta2 = OrElse(given.beta2, options.beta2);
    options.epsilon = OrElse(given.epsilon, options.epsilon);
    options.weight_decay = given.weight_decay;
    bitgate::AdamStep(call.context(), {update}, options, given.step);
  });
}

bg_status bg_sgd_step(bg_context* context, bg_tensor* parameter, bg_tensor* gradient, bg_tensor* first_moment,
                      const bg_sgd_params* params) {
  return Guard([&] {
    OpCall call("bg_sgd_step", context,
                {{"parameter", parameter}, {"gradient", gradient}, {"first_moment", first_moment, true}});
    const bg_sgd_params given =
        bitgate::c::ReadStruct("bg_sgd_step", "params", &Require("bg_sgd_step", "params", params));
    const Tensors operands = call.Values();
    bitgate::ParameterUpdate update;
    update.parameter = operands[0];
    update.gradient = operands[1];
    update.first_moment = operands[2];
    bitgate::SgdOptions options;
    options.learning_rate = bitgate::c::CheckedLearningRate("bg_sgd_step", given.learning_rate);
    options.momentum = given.momentum;
    options.nesterov = given.nesterov != 0;
    options.weight_decay = given.weight_decay;
    bitgate::SgdStep(call.context(), {update}, options);
  });
}
