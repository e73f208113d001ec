#include <algorithm>
#include <string>
#include <utility>

#include "api/c/handles.h"
#include "models/jobs/weights.h"
#include "runtime/device/compute.h"

namespace bitgate::c {
namespace {

using CorePtr = std::shared_ptr<api::ModelCore>;

jobs::Machine MachineOf(const char* device) {
  jobs::Machine machine;
  if (device != nullptr) machine.device = ParseDevice(device);
  return machine;
}

bg_model* NewModel(std::unique_ptr<jobs::Model> model) {
  return new bg_model{std::make_shared<api::ModelCore>(std::move(model))};
}

// Calls body(core) with the model held.
template <class Body>
bg_status WithModel(const char* function, bg_model* model, const Body& body) {
  return Guard([&] {
    const CorePtr core = Require(function, "model", model).core;
    const api::Hold hold(function, {&core->exclusive});
    body(*core);
  });
}

jobs::Data TestData(bg_dataset* dataset) {
  jobs::Data data;
  if (dataset != nullptr) data.test = dataset->dataset;
  return data;
}

// What a callback of the caller's says, as the library asks it.
std::function<bool(int64_t)> Progress(bg_images_callback callback, void* user_data) {
  if (callback == nullptr) return {};
  return [=](int64_t images) { return callback(user_data, images) == 0; };
}

std::string Lines(const std::vector<std::string>& sentences) {
  std::string text;
  for (const std::string& sentence : sentences) text += (text.empty() ? "" : "\n") + sentence;
  return text;
}

}  // namespace
}  // namespace bitgate::c

using bitgate::api::Hold;
using bitgate::api::ModelCore;
using bitgate::api::Session;
using bitgate::api::VariablePtr;
using bitgate::c::CheckStructSize;
using bitgate::c::Guard;
using bitgate::c::Keep;
using bitgate::c::NewModel;
using bitgate::c::NewTensor;
using bitgate::c::Require;
using bitgate::c::WithModel;
using bitgate::jobs::Model;

bg_status bg_model_create(bg_config* config, const char* device, bg_model** out) {
  return Guard([&] {
    constexpr char kName[] = "bg_model_create";
    const Hold hold(kName, {&Require(kName, "config", config).exclusive});
    Require(kName, "out", out);
    *out = NewModel(std::make_unique<Model>(config->config, bitgate::c::MachineOf(device)));
  });
}

bg_status bg_model_create_from_file(const char* path, const char* device, bg_model** out) {
  return Guard([&] {
    Require("bg_model_create_from_file", "path", path);
    Require("bg_model_create_from_file", "out", out);
    *out = NewModel(Model::Open(path, bitgate::c::MachineOf(device)));
  });
}

bg_status bg_model_create_copy(bg_model* model, bg_model** out) {
  return WithModel("bg_model_create_copy", model, [&](ModelCore& core) {
    Require("bg_model_create_copy", "out", out);
    *out = NewModel(core.model->Clone());
  });
}

bg_status bg_model_set_compute(bg_model* model, const char* compute) {
  return WithModel("bg_model_set_compute", model, [&](ModelCore& core) {
    Require("bg_model_set_compute", "compute", compute);
    core.model->set_compute(bitgate::ParseCompute(compute));
  });
}

bg_status bg_model_compute(bg_model* model, const char** compute) {
  return WithModel("bg_model_compute", model, [&](ModelCore& core) {
    Require("bg_model_compute", "compute", compute) = Keep(ToString(core.model->compute()));
  });
}

void bg_model_free(bg_model* model) { bitgate::c::Free(model); }

bg_status bg_model_save(bg_model* model, const char* path) {
  return WithModel("bg_model_save", model,
                   [&](ModelCore& core) { core.model->Save(&Require("bg_model_save", "path", path)); });
}

bg_status bg_model_load_float_weights(bg_model* model, const char* path, const char** table) {
  return WithModel("bg_model_load_float_weights", model, [&](ModelCore& core) {
    Require("bg_model_load_float_weights", "path", path);
    const auto loaded = bitgate::jobs::LoadFloatWeights(core.model->network(), path);
    if (table != nullptr) *table = Keep(FormatTable(loaded));
  });
}

bg_status bg_model_write_float_weights(bg_model* model, const char* path) {
  return WithModel("bg_model_write_float_weights", model, [&](ModelCore& core) {
    Require("bg_model_write_float_weights", "path", path);
    bitgate::jobs::WriteFloatWeights(core.model->network(), path);
  });
}

bg_status bg_model_config(bg_model* model, bg_config** out) {
  return WithModel("bg_model_config", model, [&](ModelCore& core) {
    Require("bg_model_config", "out", out);
    *out = new bg_config{{}, core.model->config()};
  });
}

bg_status bg_model_set_config(bg_model* model, bg_config* config) {
  return WithModel("bg_model_set_config", model, [&](ModelCore& core) {
    const Hold hold("bg_model_set_config", {&Require("bg_model_set_config", "config", config).exclusive});
    core.model->set_config(config->config);
  });
}

bg_status bg_model_graph(bg_model* model, bg_graph** out) {
  return WithModel("bg_model_graph", model, [&](ModelCore& core) {
    Require("bg_model_graph", "out", out);
    const bitgate::Graph& graph = core.model->network().graph();
    const auto& network = core.model->config().network();
    // The zoo's own, unless precisions were changed or freezing has folded batch norms.
    const bool of_zoo =
        network.leave_float().empty() && graph.nodes().size() == core.model->network().source().nodes().size();
    *out = new bg_graph{std::make_shared<const bitgate::Graph>(graph), of_zoo ? network.zoo() : ""};
  });
}

bg_status bg_model_is_frozen(bg_model* model, int32_t* frozen) {
  return WithModel("bg_model_is_frozen", model, [&](ModelCore& core) {
    Require("bg_model_is_frozen", "frozen", frozen) = core.model->network().frozen() ? 1 : 0;
  });
}

bg_status bg_model_bits(bg_model* model, bg_bit_report** out) {
  return WithModel("bg_model_bits", model, [&](ModelCore& core) {
    Require("bg_model_bits", "out", out);
    const bitgate::BitReport report = core.model->Bits();
    *out = new bg_bit_report{report, FormatTable(report), ToJson(report)};
  });
}

bg_status bg_model_requantize(bg_model* model, bg_requantize_report** report) {
  return WithModel("bg_model_requantize", model, [&](ModelCore& core) {
    auto made = std::make_unique<bg_requantize_report>();
    made->report = core.model->Requantize();
    if (report != nullptr) *report = made.release();
  });
}

bg_status bg_model_calibrate(bg_model* model, bg_tensor* images) {
  return WithModel("bg_model_calibrate", model, [&](ModelCore& core) {
    const VariablePtr variable = Require("bg_model_calibrate", "images", images).variable;
    const Hold hold("bg_model_calibrate", {&variable->exclusive});
    core.model->Calibrate(variable->value);
  });
}

bg_status bg_model_freeze(bg_model* model, bg_freeze_report** report) {
  return WithModel("bg_model_freeze", model, [&](ModelCore& core) {
    auto made = std::make_unique<bg_freeze_report>();  // first: it may fail, and freezing cannot be undone
    made->report = core.model->Freeze();
    if (report != nullptr) *report = made.release();
  });
}

bg_status bg_model_evaluate(bg_model* model, bg_dataset* dataset, bg_images_callback callback, void* user_data,
                            bg_evaluation* evaluation) {
  return WithModel("bg_model_evaluate", model, [&](ModelCore& core) {
    constexpr char kName[] = "bg_model_evaluate";
    CheckStructSize(kName, "evaluation", Require(kName, "evaluation", evaluation));
    bitgate::EvaluationOptions options;
    options.batch_size = 0;
    options.progress = bitgate::c::Progress(callback, user_data);
    const bitgate::EvaluationResult result = core.model->Evaluate(bitgate::c::TestData(dataset), options);
    bg_evaluation values{};
    values.images = result.images;
    values.correct = result.correct;
    values.accuracy = result.accuracy();
    values.cross_entropy = result.cross_entropy;
    bitgate::c::WriteStruct(values, evaluation);
  });
}

bg_status bg_model_predict(bg_model* model, bg_tensor* images, int32_t* classes) {
  return WithModel("bg_model_predict", model, [&](ModelCore& core) {
    const VariablePtr variable = Require("bg_model_predict", "images", images).variable;
    const Hold hold("bg_model_predict", {&variable->exclusive});
    Require("bg_model_predict", "classes", classes);
    const std::vector<int32_t> predicted = core.model->Predict(variable->value);
    std::copy(predicted.begin(), predicted.end(), classes);
  });
}

bg_status bg_model_logits(bg_model* model, bg_tensor* images, bg_tensor** logits) {
  return WithModel("bg_model_logits", model, [&](ModelCore& core) {
    const VariablePtr variable = Require("bg_model_logits", "images", images).variable;
    const Hold hold("bg_model_logits", {&variable->exclusive});
    Require("bg_model_logits", "logits", logits);
    *logits = NewTensor(bitgate::api::NewVariable(core.model->Logits(variable->value)));
  });
}

bg_status bg_model_forward(bg_model* model, bg_context* context, bg_tensor* images, int32_t train, uint64_t step,
                           bg_tensor** logits, bg_tensor** penalty) {
  return WithModel("bg_model_forward", model, [&](ModelCore& core) {
    constexpr char kName[] = "bg_model_forward";
    const std::shared_ptr<Session> session = Require(kName, "context", context).session;
    const VariablePtr variable = Require(kName, "images", images).variable;
    const Hold hold(kName, {&session->exclusive, &variable->exclusive});
    Require(kName, "logits", logits);
    if (train != 0) Require(kName, "penalty", penalty);
    const auto forwarded =
        core.Forward(*session, variable, train != 0 ? bitgate::Mode::kTrain : bitgate::Mode::kEvaluate, step);
    std::unique_ptr<bg_tensor> made(NewTensor(forwarded.logits));
    if (penalty != nullptr) *penalty = forwarded.penalty == nullptr ? nullptr : NewTensor(forwarded.penalty);
    *logits = made.release();
  });
}

bg_status bg_model_parameter_count(bg_model* model, int32_t* count) {
  return WithModel("bg_model_parameter_count", model, [&](ModelCore& core) {
    Require("bg_model_parameter_count", "count", count) = static_cast<int32_t>(core.Parameters().size());
  });
}

bg_status bg_model_parameter(bg_model* model, int32_t index, const char** name, bg_tensor** out) {
  return WithModel("bg_model_parameter", model, [&](ModelCore& core) {
    constexpr char kName[] = "bg_model_parameter";
    Require(kName, "name", name);
    Require(kName, "out", out);
    const auto& parameters = core.Parameters();
    const auto& parameter = parameters[bitgate::c::CheckedIndex(kName, index, parameters.size())];
    std::unique_ptr<bg_tensor> made(NewTensor(parameter.variable));
    *name = Keep(parameter.name);
    *out = made.release();
  });
}

bg_status bg_model_export_onnx(bg_model* model, const char* path, const char** warnings) {
  return WithModel("bg_model_export_onnx", model, [&](ModelCore& core) {
    const auto result = core.model->ExportOnnx(&Require("bg_model_export_onnx", "path", path));
    std::vector<std::string> sentences = result.warnings;
    sentences.insert(sentences.end(), result.notes.begin(), result.notes.end());
    if (warnings != nullptr) *warnings = Keep(bitgate::c::Lines(sentences));
  });
}
