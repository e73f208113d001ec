// Training: jobs::Training with callbacks into Python.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "api/common/model_core.h"
#include "api/python/bindings/bindings.h"
#include "api/python/bindings/buffer.h"
#include "api/python/bindings/reports.h"
#include "models/jobs/training.h"
#include "runtime/base/error.h"

namespace bitgate::python {
namespace {

using api::Hold;
using api::TrainerCore;

constexpr char kBusy[] = "trainer";

jobs::Existing ExistingOf(const std::string& name) {
  if (name == "refuse") return jobs::Existing::kRefuse;
  if (name == "resume") return jobs::Existing::kResume;
  if (name == "overwrite") return jobs::Existing::kOverwrite;
  throw InvalidArgument("existing: expected 'refuse', 'resume' or 'overwrite', got '", name, "'");
}

template <class Make>
TrainerHandle Created(const ModelHandle& model, const Make& make) {
  const Entry entry;
  const Hold hold("model", {&model->exclusive});
  auto core = std::make_shared<TrainerCore>();
  core->model = model.shared();
  {
    const Unlocked unlocked;
    core->training = make(*model->model);
  }
  return core;
}

TrainerHandle Create(const ModelHandle& model, const Dataset& train, const Dataset& test,
                     const std::filesystem::path& output, const std::string& existing) {
  const jobs::TrainingOptions options{{"", train, test}, output.string(), ExistingOf(existing)};
  return Created(model, [&](jobs::Model& m) { return std::make_unique<jobs::Training>(m, options); });
}

TrainerHandle CreateStepper(const ModelHandle& model) {
  return Created(model, [](jobs::Model& m) { return std::make_unique<jobs::Training>(m); });
}

// -- Fitting ---------------------------------------------------------------------------------------

// Leaves Trainer::Run between two epochs or phases, from where another one goes on.
struct StopHere : std::exception {};

struct Callbacks {
  py::object on_step, on_epoch, on_frozen, on_requantized, on_progress;  // or None
};

TrainerCallbacks Forwarding(const Callbacks& callbacks, Interruptible& control) {
  TrainerCallbacks forwarding;
  forwarding.progress = [&](const StepSummary& summary) {
    if (!callbacks.on_step.is_none() && !control.Run([&] { return callbacks.on_step(summary); })) return false;
    return control.Poll([&] {
      if (!callbacks.on_progress.is_none()) callbacks.on_progress(summary);
    });
  };
  forwarding.epoch_end = [&](const EpochSummary& summary) {
    if (!control.Run([&] { return callbacks.on_epoch(EpochDict(summary)); })) throw StopHere();
  };
  // What stops it shows in the evaluation that follows, which leaves a checkpoint.
  forwarding.requantized = [&](const RequantizeReport& report) {
    if (!callbacks.on_requantized.is_none())
      control.Run([&] { return callbacks.on_requantized(RequantizeDict(report)); });
  };
  forwarding.frozen = [&](const FreezeReport& report) {
    if (!callbacks.on_frozen.is_none() && !control.Run([&] { return callbacks.on_frozen(FreezeDict(report)); })) {
      throw StopHere();
    }
  };
  return forwarding;
}

// Absent: a callback stopped it.
std::optional<jobs::TrainResult> RunFit(TrainerCore& core, const TrainerCallbacks& callbacks, Interruptible& control) {
  try {
    const Unlocked unlocked;
    return core.training->Fit(callbacks);
  } catch (const StopHere&) {
    control.Rethrow(nullptr);
  } catch (const std::exception& failure) {
    control.Rethrow(&failure);
    const auto* error = dynamic_cast<const Error*>(&failure);
    if (error == nullptr || error->code() != absl::StatusCode::kCancelled || !control.stopped()) throw;
  }
  return std::nullopt;
}

py::object Fit(const TrainerHandle& self, const py::object& on_step, const py::object& on_epoch,
               const py::object& on_frozen, const py::object& on_requantized, const py::object& on_progress) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive, &self->model->exclusive});
  const Callbacks callbacks{on_step, on_epoch, on_frozen, on_requantized, on_progress};
  Interruptible control;
  const auto result = RunFit(*self, Forwarding(callbacks, control), control);
  if (!result) return py::none();
  return py::make_tuple(result->test_accuracy, result->test_loss);
}

py::tuple Step(const TrainerHandle& self, const py::object& images, const py::object& labels, double factor) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive, &self->model->exclusive});
  const Tensor raw = Borrowed("images", images, /*read_only=*/true);
  const Tensor classes = Borrowed("labels", labels, /*read_only=*/true);
  StepResult result;
  {
    const Unlocked unlocked;
    result = self->training->Step(raw, classes, factor);
  }
  return py::make_tuple(result.loss, result.penalty, result.correct);
}

void BindSummary(py::module_& m) {
  py::class_<StepSummary>(m, "StepSummary", "Where training stands, after a step or a batch of evaluation. Read-only.")
      .def_property_readonly(
          "phase", [](const StepSummary& summary) { return PhaseName(summary.phase); }, "\"gates\" or \"fine_tune\".")
      .def_readonly("epoch", &StepSummary::epoch, "From 1, of the phase.")
      .def_readonly("epochs", &StepSummary::epochs, "Of the phase.")
      .def_readonly("step", &StepSummary::step, "Steps taken in this epoch.")
      .def_readonly("steps", &StepSummary::steps, "Steps of an epoch.")
      .def_readonly("images", &StepSummary::images, "Images trained on in this epoch.")
      .def_readonly("loss", &StepSummary::loss, "Mean cross-entropy of the epoch so far.")
      .def_readonly("penalty", &StepSummary::penalty, "Mean regularizer of the epoch so far.")
      .def_readonly("accuracy", &StepSummary::accuracy, "On the training images of the epoch so far, 0 to 1.")
      .def_readonly("evaluating", &StepSummary::evaluating, "The steps are done, the test images are being evaluated.")
      .def_readonly("total_steps_done", &StepSummary::total_steps_done, "Of the whole run.")
      .def_readonly("total_steps", &StepSummary::total_steps, "Of the whole run.")
      .def("__repr__", [](const StepSummary& summary) {
        return "StepSummary(epoch=" + std::to_string(summary.epoch) + ", step=" + std::to_string(summary.step) + "/" +
               std::to_string(summary.steps) + ", loss=" + std::to_string(summary.loss) + ")";
      });
}

}  // namespace

void BindTrainer(py::module_& m) {
  BindSummary(m);
  py::class_<TrainerCore, TrainerHandle>(m, "Training", "The training of a model. Use bitgate.Trainer.")
      .def_static("create", Create, py::arg("model").none(false), py::arg("train"), py::arg("test"), py::arg("output"),
                  py::arg("existing"), "Over epochs of data.")
      .def_static("create_stepper", CreateStepper, py::arg("model").none(false), "For step alone.")
      .def("fit", Fit, py::arg("on_step"), py::arg("on_epoch"), py::arg("on_frozen"), py::arg("on_requantized"),
           py::arg("on_progress"), "To the end: test accuracy and loss; None if a callback returned False.")
      .def("step", Step, py::arg("images"), py::arg("labels"), py::arg("learning_rate_factor"),
           "One step: loss, penalty, correct images.");
}

}  // namespace bitgate::python
