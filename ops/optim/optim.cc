#include "ops/optim/optim.h"

#include <cmath>
#include <string>

#include "ops/operand.h"
#include "ops/optim/optim_kernels.h"
#include "runtime/base/error.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// How many rows take part, and how long each is.
struct Extent {
  int64_t rows, elements;
};

Extent CheckRows(const Context& context, const char* op, const std::string& name, const ParameterUpdate& update) {
  const Tensor& p = update.parameter;
  if (!update.gain.defined() && !update.decay.defined()) return {1, p.size()};
  if (p.shape().rank() < 1) {
    throw InvalidArgument(op, ": expected ", name, "parameter with rows beside gain or decay, got a scalar");
  }
  if (update.gain.defined()) CheckOperand(context, op, (name + "gain").c_str(), update.gain, 1);
  const int64_t rows = update.gain.defined() ? update.gain.size() : update.decay.size();
  if (update.decay.defined()) CheckOperandShape(context, op, (name + "decay").c_str(), update.decay, {rows});
  if (rows > p.shape()[0]) {
    throw InvalidArgument(op, ": expected ", name, "parameter of at least ", rows, " rows, got shape ", p.shape());
  }
  return {rows, p.shape()[0] == 0 ? 0 : p.size() / p.shape()[0]};
}

float* CheckMoment(const Context& context, const char* op, const std::string& name, const Tensor& moment,
                   const Tensor& parameter) {
  CheckOperand(context, op, name.c_str(), moment);
  if (moment.size() != parameter.size()) {
    throw InvalidArgument(op, ": expected ", name, " of ", parameter.size(), " elements as its parameter ",
                          parameter.shape(), ", got shape ", moment.shape());
  }
  return moment.data<float>();
}

const float* DataOrNull(const Tensor& tensor) { return tensor.defined() ? tensor.data<float>() : nullptr; }

// Updates without elements are left out.
void AppendUpdates(const Context& context, const char* op, const UpdateGroup& group, std::vector<RowUpdate>* rows) {
  CheckOperandShape(context, op, "scalars", group.scalars, {kStepScalars});
  for (size_t i = 0; i < group.updates.size(); ++i) {
    const ParameterUpdate& update = group.updates[i];
    const std::string name = "update " + std::to_string(i) + "'s ";
    CheckOperand(context, op, (name + "parameter").c_str(), update.parameter);
    const Extent extent = CheckRows(context, op, name, update);
    if (update.gradient.defined()) {
      CheckOperand(context, op, (name + "gradient").c_str(), update.gradient);
      if (update.gradient.size() != extent.elements) {
        throw InvalidArgument(op, ": expected ", name, "gradient of ", extent.elements, " elements for parameter ",
                              update.parameter.shape(), ", got shape ", update.gradient.shape());
      }
    }
    RowUpdate row{update.parameter.data<float>(),
                  DataOrNull(update.gradient),
                  nullptr,
                  nullptr,
                  DataOrNull(update.gain),
                  DataOrNull(update.decay),
                  group.scalars.data<float>(),
                  extent.rows,
                  extent.elements,
                  update.low,
                  update.high,
                  group.kind};
    if (UsesFirstMoment(group.kind)) {
      row.first_moment = CheckMoment(context, op, name + "first_moment", update.first_moment, update.parameter);
    }
    if (UsesSecondMoment(group.kind)) {
      row.second_moment = CheckMoment(context, op, name + "second_moment", update.second_moment, update.parameter);
    }
    if (extent.rows * extent.elements > 0) rows->push_back(row);
  }
}

void CheckSettings(const char* op, double learning_rate, double weight_decay) {
  if (!(learning_rate >= 0) || !std::isfinite(learning_rate)) {
    throw InvalidArgument(op, ": expected a learning_rate of at least 0, got ", learning_rate);
  }
  if (!(weight_decay >= 0) || !std::isfinite(weight_decay)) {
    throw InvalidArgument(op, ": expected a weight_decay of at least 0, got ", weight_decay);
  }
}

void Step(Context& context, const char* op, const std::vector<UpdateGroup>& groups, const Tensor& proceed) {
  std::vector<RowUpdate> rows;
  for (const UpdateGroup& group : groups) AppendUpdates(context, op, group, &rows);
  if (proceed.defined()) CheckOperandShape(context, op, "proceed", proceed, {1}, DType::kInt32);
  static const KernelTable<decltype(cpu::scalar::OptimizerStep)> kernels{BG_CPU_KERNEL(OptimizerStep),
                                                                         BG_CUDA_KERNEL(OptimizerStep)};
  kernels.For(context.device(), op)(context.kernel(), rows.data(), static_cast<int64_t>(rows.size()), proceed.view());
}

Tensor OnDevice(Context& context, const StepScalars& scalars) {
  return FromHostBytes(context, scalars.data(), {kStepScalars}, DType::kFloat32);
}

}  // namespace

StepScalars AdamScalars(const AdamOptions& options, int64_t step) {
  if (step < 1) throw InvalidArgument("adam_step: expected a step of at least 1, got ", step);
  if (!(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1)) {
    throw InvalidArgument("adam_step: expected betas in [0, 1), got ", options.beta1, " and ", options.beta2);
  }
  if (!(options.epsilon >= 0) || !std::isfinite(options.epsilon)) {
    throw InvalidArgument("adam_step: expected an epsilon of at least 0, got ", options.epsilon);
  }
  CheckSettings("adam_step", options.learning_rate, options.weight_decay);
  const double correction1 = 1 - std::pow(options.beta1, static_cast<double>(step));
  const double correction2 = 1 - std::pow(options.beta2, static_cast<double>(step));
  StepScalars scalars{};
  scalars[kBeta1] = static_cast<float>(options.beta1);
  scalars[kOneMinusBeta1] = static_cast<float>(1 - options.beta1);
  scalars[kBeta2] = static_cast<float>(options.beta2);
  scalars[kOneMinusBeta2] = static_cast<float>(1 - options.beta2);
  scalars[kStepSize] = static_cast<float>(options.learning_rate / correction1);
  scalars[kSecondScale] = static_cast<float>(1 / std::sqrt(correction2));
  scalars[kEpsilonTerm] = static_cast<float>(options.epsilon);
  scalars[kWeightDecay] = static_cast<float>(options.weight_decay);
  return scalars;
}

UpdateKind SgdKind(const SgdOptions& options) {
  if (options.momentum == 0) return UpdateKind::kSgd;
  return options.nesterov ? UpdateKind::kNesterov : UpdateKind::kMomentum;
}

StepScalars SgdScalars(const SgdOptions& options) {
  if (options.nesterov && options.momentum == 0) {
    throw InvalidArgument("sgd_step: expected momentum with nesterov, got momentum 0");
  }
  if (!(options.momentum >= 0 && options.momentum < 1)) {
    throw InvalidArgument("sgd_step: expected a momentum in [0, 1), got ", options.momentum);
  }
  CheckSettings("sgd_step", options.learning_rate, options.weight_decay);
  StepScalars scalars{};
  scalars[kLearningRate] = static_cast<float>(options.learning_rate);
  scalars[kMomentumFactor] = static_cast<float>(options.momentum);
  scalars[kWeightDecay] = static_cast<float>(options.weight_decay);
  return scalars;
}

void OptimizerStep(Context& context, const std::vector<UpdateGroup>& groups, const Tensor& proceed) {
  Step(context, "optimizer_step", groups, proceed);
}

void AdamStep(Context& context, const std::vector<ParameterUpdate>& updates, const AdamOptions& options, int64_t step) {
  const StepScalars scalars = AdamScalars(options, step);
  Step(context, "adam_step", {{updates, UpdateKind::kAdam, OnDevice(context, scalars)}}, {});
}

void SgdStep(Context& context, const std::vector<ParameterUpdate>& updates, const SgdOptions& options) {
  const StepScalars scalars = SgdScalars(options);
  Step(context, "sgd_step", {{updates, SgdKind(options), OnDevice(context, scalars)}}, {});
}

}  // namespace bitgate
