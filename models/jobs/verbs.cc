#include <filesystem>

#include "models/jobs/jobs.h"
#include "models/quantized/method.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate::jobs {

namespace {

std::string OneALine(const std::vector<int32_t>& predictions) {
  std::string text;
  for (int32_t prediction : predictions) text += std::to_string(prediction) + "\n";
  return text;
}

// Throws InvalidArgument if both are the same file.
void CheckDistinct(const std::string& input, const std::string& output) {
  std::error_code error;
  if (std::filesystem::equivalent(input, output, error)) {
    throw InvalidArgument("output: expected another file than the input, got ", output, " for both");
  }
}

// Whether both name the same file, which need not be there yet.
bool IsSamePath(const std::string& first, const std::string& second) {
  const auto normalised = [](const std::string& path) {
    std::error_code error;
    const std::filesystem::path absolute = std::filesystem::absolute(path, error);
    const std::filesystem::path canonical = std::filesystem::weakly_canonical(absolute, error);
    return error ? absolute : canonical;  // for writing to say what is wrong with it
  };
  return normalised(first) == normalised(second);
}

// Begins a model with the float weights of a file.
void LoadWeights(Model& model, const TrainOptions& options) {
  CheckDistinct(options.weights, options.output);
  CheckDistinct(options.weights, BestPath(options.output));
  const std::vector<LoadedWeight> loaded = LoadFloatWeights(model.network(), options.weights);
  if (options.weights_loaded) options.weights_loaded(loaded);
}

// The model to be evaluated, and the float weights that it got.
std::unique_ptr<Model> ModelOf(const EvaluateOptions& options, std::vector<LoadedWeight>* loaded) {
  const bool of_checkpoint = !options.checkpoint.empty();
  if (of_checkpoint == options.config.has_value() || of_checkpoint == !options.weights.empty()) {
    throw InvalidArgument("evaluate: expected either a checkpoint, or a configuration and float weights, got ",
                          of_checkpoint ? "both" : "neither");
  }
  if (of_checkpoint) return Model::Open(options.checkpoint, options.machine);
  Config config = *options.config;
  *config.mutable_quantizer() = FloatQuantizer();
  auto model = std::make_unique<Model>(config, options.machine);
  *loaded = LoadFloatWeights(model->network(), options.weights);
  return model;
}

}  // namespace

TrainResult Train(const TrainOptions& options, const TrainerCallbacks& callbacks) {
  if (options.output.empty()) throw InvalidArgument("output: expected a path for the checkpoint, got none");
  const bool resume = options.existing == Existing::kResume && FileExists(options.output);
  if (!resume && !options.config) {
    throw NotFound("train: expected a configuration, or a checkpoint to resume at ", options.output, ", got neither");
  }
  Model model(options.config ? *options.config : ReadConfig(options.output), options.machine);
  if (!options.weights.empty() && !resume) LoadWeights(model, options);
  return Training(model, {options.data, options.output, options.existing}).Fit(callbacks);
}

TrainResult FineTune(const FineTuneOptions& options, const TrainerCallbacks& callbacks) {
  if (options.output.empty()) throw InvalidArgument("output: expected a path for the checkpoint, got none");
  const std::unique_ptr<Model> model = Model::Open(options.checkpoint, options.machine);
  model->RequireFrozen("fine-tuning");
  CheckDistinct(options.checkpoint, options.output);
  if (options.config) model->set_config(ForFineTuning(model->config(), *options.config));
  return Training(*model, {options.data, options.output, options.existing}).Fit(callbacks);
}

EvaluateResult Evaluate(const EvaluateOptions& options) {
  EvaluateResult result;
  const std::unique_ptr<Model> model = ModelOf(options, &result.weights);
  const bool write = !options.predictions_file.empty();
  if (write) CheckDistinct(options.checkpoint, options.predictions_file);
  if (write) CheckDistinct(options.weights, options.predictions_file);
  if (write) CheckWritable(options.predictions_file);
  EvaluationOptions evaluation;
  evaluation.batch_size = options.batch_size;
  evaluation.predictions = options.predictions || write;
  evaluation.progress = options.progress;
  result.evaluation = model->Evaluate(options.data, evaluation);
  if (write) WriteFileAtomically(options.predictions_file, OneALine(result.evaluation.predictions));
  result.bits = model->Bits();
  result.frozen = model->network().frozen();
  return result;
}

FreezeResult Freeze(const FreezeOptions& options) {
  const std::unique_ptr<Model> model = Model::Open(options.checkpoint, options.machine);
  if (model->network().frozen()) {
    throw FailedPrecondition(options.checkpoint,
                             ": freezing expects a checkpoint that still learns its bits, got one that ",
                             "is frozen already");
  }
  CheckDistinct(options.checkpoint, options.output);
  CheckWritable(options.output);
  FreezeResult result;
  if (options.data) {
    result.warnings = model->Requantize().warnings;
    model->Calibrate(*options.data);
  }
  result.report = model->Freeze();
  result.bits = model->Bits();
  model->Save(options.output);
  return result;
}

ExportResult Export(const ExportOptions& options) {
  if (options.onnx.empty() && options.weights.empty()) {
    throw InvalidArgument("export: expected a path for ONNX or for float weights, got none");
  }
  const bool both = !options.onnx.empty() && !options.weights.empty();
  if (both && IsSamePath(options.onnx, options.weights)) {
    throw InvalidArgument("export: expected two files for ONNX and float weights, got ", options.onnx, " for both");
  }
  const std::unique_ptr<Model> model = Model::Open(options.checkpoint, options.machine);
  if (!options.onnx.empty()) model->RequireFrozen("export");
  CheckDistinct(options.checkpoint, options.onnx);
  CheckDistinct(options.checkpoint, options.weights);
  if (!options.onnx.empty()) CheckWritable(options.onnx);
  if (!options.weights.empty()) CheckWritable(options.weights);
  if (!options.weights.empty()) WriteFloatWeights(model->network(), options.weights);
  if (!options.onnx.empty()) return model->ExportOnnx(options.onnx);
  ExportResult result;
  result.bits = model->Bits();
  return result;
}

BitsResult Bits(const std::string& checkpoint, const Machine& machine) {
  const std::unique_ptr<Model> model = Model::Open(checkpoint, machine);
  return {model->Bits(), model->network().frozen()};
}

Config ReadConfig(const std::string& checkpoint) { return ConfigOf(ReadCheckpoint(checkpoint)); }

}  // namespace bitgate::jobs
