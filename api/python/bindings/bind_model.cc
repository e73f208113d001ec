// Models: jobs::Model behind a lock for one user at a time.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "api/common/model_core.h"
#include "api/python/bindings/bindings.h"
#include "api/python/bindings/buffer.h"
#include "api/python/bindings/reports.h"
#include "api/python/bindings/sessions.h"
#include "models/jobs/model.h"
#include "models/jobs/weights.h"
#include "runtime/base/error.h"
#include "runtime/device/compute.h"
#include "runtime/tensor/copy.h"

namespace bitgate::python {
namespace {

using api::Hold;
using api::ModelCore;

constexpr char kBusy[] = "model";

ModelHandle Wrapped(std::unique_ptr<jobs::Model> model) { return std::make_shared<ModelCore>(std::move(model)); }

ModelHandle Create(const Config& config, const std::string& device, const std::string& compute) {
  const Entry entry;
  const jobs::Machine machine{ParseDevice(device), 0, ParseCompute(compute)};
  std::unique_ptr<jobs::Model> model;
  {
    const Unlocked unlocked;
    model = std::make_unique<jobs::Model>(config, machine);
  }
  return Wrapped(std::move(model));
}

ModelHandle Open(const std::filesystem::path& path, const std::string& device, const std::string& compute) {
  const Entry entry;
  const jobs::Machine machine{ParseDevice(device), 0, ParseCompute(compute)};
  std::unique_ptr<jobs::Model> model;
  {
    const Unlocked unlocked;
    model = jobs::Model::Open(path.string(), machine);
  }
  return Wrapped(std::move(model));
}

// work(model) while nobody else uses it, without Python's lock.
template <class Work>
auto With(const ModelHandle& self, const Work& work) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive});
  const Unlocked unlocked;
  return work(*self->model);
}

// The same for a call that asks `callback` (None: nobody), with the number of images done, whether to go on.
template <class Work>
auto Interruptibly(const ModelHandle& self, const py::object& callback, const Work& work) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive});
  Interruptible control;
  const auto progress = [&](int64_t images) {
    if (!callback.is_none() && !control.Run([&] { return callback(images); })) return false;
    return control.Poll([] {});
  };
  try {
    const Unlocked unlocked;
    return work(*self->model, progress);
  } catch (const std::exception& failure) {
    control.Rethrow(&failure);
    throw;
  }
}

// -- Verbs -----------------------------------------------------------------------------------------

py::tuple Bits(const ModelHandle& self) {
  const BitReport report = With(self, [](jobs::Model& model) { return model.Bits(); });
  return py::make_tuple(FormatTable(report), ToJson(report));
}

py::dict Requantize(const ModelHandle& self) {
  return RequantizeDict(With(self, [](jobs::Model& model) { return model.Requantize(); }));
}

void Calibrate(const ModelHandle& self, const py::object& images, const py::object& callback) {
  const Tensor raw = Borrowed("images", images, /*read_only=*/true);
  Interruptibly(self, callback,
                [&](jobs::Model& model, const auto& progress) { return model.Calibrate(raw, progress); });
}

py::dict Freeze(const ModelHandle& self) {
  return FreezeDict(With(self, [](jobs::Model& model) { return model.Freeze(); }));
}

py::dict Evaluate(const ModelHandle& self, const Dataset& dataset, int64_t batch_size, bool predictions,
                  const py::object& callback) {
  if (batch_size < 0) throw InvalidArgument("evaluate: expected a batch size of at least 1, got ", batch_size);
  const EvaluationResult result = Interruptibly(self, callback, [&](jobs::Model& model, const auto& progress) {
    EvaluationOptions options;
    options.batch_size = batch_size;
    options.predictions = predictions;
    options.progress = progress;
    return model.Evaluate({"", std::nullopt, dataset}, options);
  });
  py::dict evaluation;
  evaluation["images"] = result.images;
  evaluation["correct"] = result.correct;
  evaluation["accuracy"] = result.accuracy();
  evaluation["loss"] = result.cross_entropy;
  evaluation["predictions"] = predictions ? py::cast(result.predictions) : py::none();
  return evaluation;
}

TensorHandle Logits(const ModelHandle& self, const py::object& images, const py::object& callback) {
  const Tensor raw = Borrowed("images", images, /*read_only=*/true);
  return api::NewVariable(Interruptibly(
      self, callback, [&](jobs::Model& model, const auto& progress) { return model.Logits(raw, progress); }));
}

TensorHandle Predict(const ModelHandle& self, const py::object& images, const py::object& callback) {
  const Tensor raw = Borrowed("images", images, /*read_only=*/true);
  const std::vector<int32_t> classes = Interruptibly(
      self, callback, [&](jobs::Model& model, const auto& progress) { return model.Predict(raw, progress); });
  return api::NewVariable(
      FromHost(SessionOn(Device{}).context(), classes, Shape({static_cast<int64_t>(classes.size())})));
}

TensorHandle Preprocessed(const ModelHandle& self, const py::object& images) {
  const Tensor raw = Borrowed("images", images, /*read_only=*/true);
  return api::NewVariable(With(self, [&](jobs::Model& model) { return model.Preprocessed(raw); }));
}

std::vector<std::string> ExportOnnx(const ModelHandle& self, const std::filesystem::path& path) {
  jobs::ExportResult result = With(self, [&](jobs::Model& model) { return model.ExportOnnx(path.string()); });
  result.warnings.insert(result.warnings.end(), result.notes.begin(), result.notes.end());
  return result.warnings;
}

// The table, and a tuple for each parameter.
py::tuple LoadFloatWeights(const ModelHandle& self, const std::filesystem::path& path) {
  const auto loaded =
      With(self, [&](jobs::Model& model) { return jobs::LoadFloatWeights(model.network(), path.string()); });
  py::list rows;
  for (const jobs::LoadedWeight& weight : loaded) {
    rows.append(py::make_tuple(weight.parameter, weight.tensor, py::tuple(py::cast(weight.shape)), weight.reorder));
  }
  return py::make_tuple(FormatTable(loaded), rows);
}

// -- Own loops -------------------------------------------------------------------------------------

py::list Parameters(const ModelHandle& self) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive});
  py::list parameters;
  for (const api::ParameterVariable& parameter : self->Parameters()) {
    parameters.append(py::make_tuple(parameter.name, TensorHandle(parameter.variable)));
  }
  return parameters;
}

py::tuple Bounds(const ModelHandle& self, const std::string& name) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive});
  for (const Parameter* parameter : self->model->network().parameters()) {
    const ParameterDeclaration& declaration = parameter->declaration;
    if (declaration.name == name) return py::make_tuple(declaration.low, declaration.high);
  }
  throw InvalidArgument("bounds: expected the name of a parameter, got '", name, "'");
}

py::tuple Forward(const ModelHandle& self, const TensorHandle& images, bool train, uint64_t step) {
  const Entry entry;
  const Hold hold(kBusy, {&self->exclusive});
  api::Session& session = SessionOn(self->model->context().device());
  ModelCore::Forwarded result;
  {
    const Unlocked unlocked;
    result = self->Forward(session, images.shared(), train ? Mode::kTrain : Mode::kEvaluate, step);
  }
  return py::make_tuple(TensorHandle(result.logits),
                        result.penalty == nullptr ? py::none() : py::cast(TensorHandle(result.penalty)));
}

// -- Names -----------------------------------------------------------------------------------------

using ModelClass = py::class_<ModelCore, ModelHandle>;

void BindProperties(ModelClass& model) {
  model
      .def_property_readonly(
          "name", [](const ModelHandle& self) { return py::str(self->model->name()); }, "The name in messages.")
      .def_property_readonly(
          "device", [](const ModelHandle& self) { return ToString(self->model->context().device()); }, "Where it is.")
      .def_property(
          "compute",
          [](const ModelHandle& self) {
            return std::string(ToString(With(self, [](jobs::Model& m) { return m.compute(); })));
          },
          [](const ModelHandle& self, const std::string& compute) {
            const Compute parsed = ParseCompute(compute);
            With(self, [&](jobs::Model& m) { m.set_compute(parsed); });
          },
          "How products and convolutions compute.")
      .def_property_readonly(
          "frozen",
          [](const ModelHandle& self) { return With(self, [](jobs::Model& m) { return m.network().frozen(); }); },
          "Whether bits and channels are fixed.")
      .def_property_readonly(
          "graph", [](const ModelHandle& self) { return self->model->network().graph(); }, "Its network.")
      .def_property(
          "config", [](const ModelHandle& self) { return With(self, [](jobs::Model& m) { return m.config(); }); },
          [](const ModelHandle& self, const Config& config) {
            With(self, [&](jobs::Model& m) { m.set_config(config); });
          },
          "A copy of the configuration.");
}

}  // namespace

void BindModel(py::module_& m) {
  ModelClass model(m, "Model", "A network with its parameters and quantizers. Use bitgate.Model.");
  BindProperties(model);
  model.def_static("create", Create, py::arg("config"), py::arg("device"), py::arg("compute"), "With initial weights.")
      .def_static("open", Open, py::arg("path"), py::arg("device"), py::arg("compute"), "From a checkpoint.")
      .def(
          "clone",
          [](const ModelHandle& self) { return Wrapped(With(self, [](jobs::Model& m) { return m.Clone(); })); },
          "An independent twin.")
      .def(
          "save",
          [](const ModelHandle& self, const std::filesystem::path& path) {
            With(self, [&](jobs::Model& m) { m.Save(path.string()); });
          },
          py::arg("path"), "Writes a checkpoint.")
      .def("load_float_weights", LoadFloatWeights, py::arg("path"), "Takes a file's float weights; a table, and rows.")
      .def(
          "save_float_weights",
          [](const ModelHandle& self, const std::filesystem::path& path) {
            With(self, [&](jobs::Model& m) { jobs::WriteFloatWeights(m.network(), path.string()); });
          },
          py::arg("path"), "Writes the float weights.")
      .def("bits", Bits, "The report of bits as a table and as JSON.")
      .def("requantize", Requantize, "Renews bit planes; what it did.")
      .def("calibrate", Calibrate, py::arg("images"), py::arg("callback"), "Notes what freezing must know.")
      .def("freeze", Freeze, "Fixes bits and channels; what it did.")
      .def("evaluate", Evaluate, py::arg("dataset"), py::arg("batch_size"), py::arg("predictions"), py::arg("callback"),
           "The whole data set through the network.")
      .def("logits", Logits, py::arg("images"), py::arg("callback"), "Logits of raw images.")
      .def("predict", Predict, py::arg("images"), py::arg("callback"), "Classes of raw images.")
      .def("preprocessed", Preprocessed, py::arg("images"), "Raw images as the network wants them.")
      .def("export_onnx", ExportOnnx, py::arg("path"), "Writes ONNX; warnings.")
      .def("parameters", Parameters, "Names and leaves.")
      .def("bounds", Bounds, py::arg("name"), "(low, high) that optimizers clamp the parameter to.")
      .def("forward", Forward, py::arg("images").none(false), py::arg("train"), py::arg("step"),
           "Logits, and the penalty or None.");
}

}  // namespace bitgate::python
