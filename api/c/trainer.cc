#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "api/c/handles.h"

namespace bitgate::c {
namespace {

jobs::Existing CheckedExisting(const char* function, int32_t existing) {
  switch (existing) {
    case BG_EXISTING_REFUSE:
      return jobs::Existing::kRefuse;
    case BG_EXISTING_RESUME:
      return jobs::Existing::kResume;
    case BG_EXISTING_OVERWRITE:
      return jobs::Existing::kOverwrite;
    default:
      throw InvalidArgument(function, ": expected a bg_existing, got ", existing);
  }
}

jobs::TrainingOptions OptionsOf(const char* function, bg_dataset* train, bg_dataset* test,
                                const bg_trainer_options* given) {
  if ((train == nullptr) != (test == nullptr)) {
    throw InvalidArgument(function, ": expected both train and test or neither, got one of them NULL");
  }
  const bg_trainer_options read = ReadStruct(function, "options", given);
  jobs::TrainingOptions options;
  if (train != nullptr) options.data.train = train->dataset;
  if (test != nullptr) options.data.test = test->dataset;
  if (read.output != nullptr) options.output = read.output;
  options.existing = CheckedExisting(function, read.existing);
  return options;
}

// A trainer of the model, which `make` makes while the model is held.
template <class Make>
bg_status CreateTrainer(const char* function, bg_model* model, bg_trainer** out, const Make& make) {
  return Guard([&] {
    auto core = std::make_shared<api::TrainerCore>();
    core->model = Require(function, "model", model).core;
    const api::Hold hold(function, {&core->model->exclusive});
    Require(function, "out", out);
    core->training = make(*core->model->model);
    *out = new bg_trainer{std::move(core)};
  });
}

bg_phase PhaseOf(Phase phase) { return phase == Phase::kGates ? BG_PHASE_GATES : BG_PHASE_FINE_TUNE; }

bg_step StepOf(const StepSummary& summary) {
  bg_step step{};
  step.struct_size = sizeof step;
  step.phase = PhaseOf(summary.phase);
  step.epoch = summary.epoch;
  step.epochs = summary.epochs;
  step.step = summary.step;
  step.steps = summary.steps;
  step.loss = summary.loss;
  step.penalty = summary.penalty;
  step.accuracy = summary.accuracy;
  step.evaluating = summary.evaluating ? 1 : 0;
  step.total_steps = summary.total_steps_done;
  step.all_steps = summary.total_steps;
  return step;
}

bg_epoch EpochOf(const EpochSummary& summary) {
  bg_epoch epoch{};
  epoch.struct_size = sizeof epoch;
  epoch.phase = PhaseOf(summary.phase);
  epoch.epoch = summary.epoch;
  epoch.epochs = summary.epochs;
  epoch.train_loss = summary.train_loss;
  epoch.train_penalty = summary.train_penalty;
  epoch.train_accuracy = summary.train_accuracy;
  epoch.test_loss = summary.test_loss;
  epoch.test_accuracy = summary.test_accuracy;
  epoch.penalty = summary.penalty;
  epoch.relative_bops = summary.relative_bops;
  epoch.bytes = summary.bytes;
  epoch.best = summary.best ? 1 : 0;
  epoch.weight_compression = summary.weight_compression;
  return epoch;
}

// The caller's callbacks. What one of them throws is kept until training has stopped: its checkpoint comes first.
class Callbacks {
 public:
  explicit Callbacks(const bg_callbacks& given) : given_(given) {}

  TrainerCallbacks Forwarding() {
    TrainerCallbacks callbacks;
    callbacks.progress = [this](const StepSummary& summary) {
      if (stops_) return false;
      const bg_step step = StepOf(summary);
      return given_.step == nullptr || Continues([&] { return given_.step(given_.user_data, &step); });
    };
    // The evaluation that follows asks whether to go on, and leaves a checkpoint if not.
    callbacks.requantized = [this](const RequantizeReport& report) {
      bg_requantize_report lent{report};
      stops_ = given_.requantized != nullptr && !Continues([&] { return given_.requantized(given_.user_data, &lent); });
    };
    callbacks.epoch_end = [this](const EpochSummary& summary) {
      const bg_epoch epoch = EpochOf(summary);
      if (given_.epoch == nullptr || Continues([&] { return given_.epoch(given_.user_data, &epoch); })) return;
      throw Cancelled("training: stopped on request after epoch ", summary.epoch, "; its checkpoint is written");
    };
    return callbacks;
  }

  // Instead of the error that training ended with; a checkpoint that could not be written is told as well.
  void RethrowWhatWasThrown(const Error& ended) const {
    if (thrown_.empty()) return;
    const bool stopped = ended.code() == absl::StatusCode::kCancelled;
    throw Internal("callback: expected no exception, got: ", thrown_,
                   stopped ? "" : "; and then: ", stopped ? "" : ended.what());
  }

 private:
  template <class Call>
  bool Continues(const Call& call) {
    try {
      return call() == 0;
    } catch (const std::exception& error) {
      thrown_ = std::string("an exception: ") + error.what();
    } catch (...) {
      thrown_ = "one of an unknown type";
    }
    return false;
  }

  bg_callbacks given_;
  bool stops_ = false;  // said when requantized
  std::string thrown_;  // empty: nothing
};

jobs::TrainResult Fit(jobs::Training& training, const bg_callbacks* given) {
  Callbacks callbacks(ReadStruct("bg_trainer_fit", "callbacks", given));
  try {
    return training.Fit(callbacks.Forwarding());
  } catch (const Error& error) {
    callbacks.RethrowWhatWasThrown(error);
    throw;
  }
}

}  // namespace
}  // namespace bitgate::c

using bitgate::api::Hold;
using bitgate::api::TrainerCore;
using bitgate::c::CheckStructSize;
using bitgate::c::CreateTrainer;
using bitgate::c::Guard;
using bitgate::c::OptionsOf;
using bitgate::c::Require;
using bitgate::jobs::Model;
using bitgate::jobs::Training;

bg_status bg_trainer_create(bg_model* model, bg_dataset* train, bg_dataset* test, const bg_trainer_options* options,
                            bg_trainer** out) {
  return CreateTrainer("bg_trainer_create", model, out, [&](Model& model) {
    if (model.network().frozen()) {
      throw bitgate::FailedPrecondition(model.name(), ": training expects a model that still learns its bits, got a ",
                                        "frozen one; use bg_trainer_create_fine_tuner");
    }
    return std::make_unique<Training>(model, OptionsOf("bg_trainer_create", train, test, options));
  });
}

bg_status bg_trainer_create_fine_tuner(bg_model* model, bg_dataset* train, bg_dataset* test,
                                       const bg_trainer_options* options, bg_trainer** out) {
  return CreateTrainer("bg_trainer_create_fine_tuner", model, out, [&](Model& model) {
    model.RequireFrozen("fine-tuning");
    return std::make_unique<Training>(model, OptionsOf("bg_trainer_create_fine_tuner", train, test, options));
  });
}

bg_status bg_trainer_create_stepper(bg_model* model, bg_trainer** out) {
  return CreateTrainer("bg_trainer_create_stepper", model, out,
                       [](Model& model) { return std::make_unique<Training>(model); });
}

void bg_trainer_free(bg_trainer* trainer) { bitgate::c::Free(trainer); }

bg_status bg_trainer_fit(bg_trainer* trainer, const bg_callbacks* callbacks, bg_train_result* result) {
  return Guard([&] {
    constexpr char kName[] = "bg_trainer_fit";
    const std::shared_ptr<TrainerCore> core = Require(kName, "trainer", trainer).core;
    const Hold hold(kName, {&core->exclusive, &core->model->exclusive});
    if (result != nullptr) CheckStructSize(kName, "result", *result);
    const bitgate::jobs::TrainResult trained = bitgate::c::Fit(*core->training, callbacks);
    if (result == nullptr) return;
    bg_train_result values{};
    values.frozen = trained.frozen ? 1 : 0;
    values.test_accuracy = trained.test_accuracy;
    values.test_loss = trained.test_loss;
    values.epochs = trained.epochs;
    values.seconds = trained.seconds;
    values.relative_bops = trained.bits.relative_bops;
    bitgate::c::WriteStruct(values, result);
  });
}

bg_status bg_trainer_step(bg_trainer* trainer, bg_tensor* images, bg_tensor* labels, double learning_rate_factor,
                          bg_step_result* result) {
  return Guard([&] {
    constexpr char kName[] = "bg_trainer_step";
    const std::shared_ptr<TrainerCore> core = Require(kName, "trainer", trainer).core;
    const bitgate::api::VariablePtr image_variable = Require(kName, "images", images).variable;
    const bitgate::api::VariablePtr label_variable = Require(kName, "labels", labels).variable;
    const Hold hold(
        kName, {&core->exclusive, &core->model->exclusive, &image_variable->exclusive, &label_variable->exclusive});
    if (result != nullptr) CheckStructSize(kName, "result", *result);
    const bitgate::StepResult step =
        core->training->Step(image_variable->value, label_variable->value, learning_rate_factor);
    if (result == nullptr) return;
    bg_step_result values{};
    values.loss = step.loss;
    values.penalty = step.penalty;
    values.correct = step.correct;
    bitgate::c::WriteStruct(values, result);
  });
}
