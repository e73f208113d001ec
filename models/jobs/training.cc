#include "models/jobs/training.h"

#include <filesystem>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate::jobs {
namespace {

void CheckSameConfig(const std::string& path, const Config& stored, const Config& asked) {
  const std::string difference = Difference(stored, asked);
  if (difference.empty()) return;
  throw FailedPrecondition(path, ": expected the configuration that the run began with, got another: ", difference);
}

}  // namespace

// A run over epochs of data, with its files if it has some.
struct Training::Run {
  Run(Model& model, const TrainingOptions& options);

  TrainResult Fit(const TrainerCallbacks& callbacks);

  std::vector<std::string> Checkpoints() const { return {options.output, BestPath(options.output)}; }
  bool has_files() const { return !options.output.empty(); }
  std::optional<Checkpoint> ClaimFiles();
  void RemoveOld() const;
  TrainerCallbacks Forwarding();
  TrainResult Result();

  Model& model;
  TrainingOptions options;
  // Of the log, which stays the same file for the whole run; until its end.
  std::optional<FileLock> lock;
  Dataset train, test;
  std::unique_ptr<Trainer> trainer;
  bool started = false;

  // Of the call of Fit under way.
  const TrainerCallbacks* callbacks = nullptr;
  int64_t epochs = 0;
  double epoch_start = 0;
  int64_t training_images = 0;       // of the epoch that are still to come when it begins, or is resumed
  std::optional<EpochSummary> last;  // of all calls
};

Training::Run::Run(Model& model, const TrainingOptions& options)
    : model(model),
      options(options),
      lock(options.output.empty() ? std::nullopt : std::make_optional<FileLock>(LogPath(options.output))),
      train(OpenData(options.data, Split::kTrain, model.network().graph())),
      test(OpenData(options.data, Split::kTest, model.network().graph())) {
  const Config& config = model.config();
  if (model.network().frozen() && config.fine_tune().epochs() < 1) {
    throw InvalidArgument("fine_tune.epochs: expected at least 1, got ", config.fine_tune().epochs());
  }
  if (!model.network().frozen()) CheckEpochs(config);
  const std::optional<Checkpoint> resumed = ClaimFiles();
  if (resumed) CheckSameConfig(options.output, ConfigOf(*resumed), config);
  trainer = std::make_unique<Trainer>(model.network(), train, test, MakeTrainerOptions(config),
                                      TrainerFiles{options.output, model.configuration()}, Forwarding());
  if (resumed) trainer->Resume(*resumed);
}

// What is to be resumed, if anything. Refuses what may not be overwritten, and tries whether output can be written.
std::optional<Checkpoint> Training::Run::ClaimFiles() {
  if (!has_files()) return std::nullopt;
  for (const std::string& path : Checkpoints()) {
    if (options.existing == Existing::kRefuse && FileExists(path)) {
      throw FailedPrecondition("output: expected no run there yet, got ", path, "; resume or overwrite it");
    }
  }
  for (const std::string& path : Checkpoints()) CheckWritable(path);
  if (options.existing == Existing::kResume && FileExists(options.output)) return ReadCheckpoint(options.output);
  return std::nullopt;
}

// The last checkpoint first: what is left of a half-removed run cannot be taken for one to resume. The log is locked
// and stays; the trainer empties it.
void Training::Run::RemoveOld() const {
  for (const std::string& path : Checkpoints()) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) throw Unavailable(path, ": expected to remove the old run, got: ", error.message());
  }
}

// The trainer's callbacks: those of the call of Fit under way, with the wall clock added to the log.
TrainerCallbacks Training::Run::Forwarding() {
  TrainerCallbacks forwarding;
  forwarding.progress = [this](const StepSummary& summary) {
    return !callbacks->progress || callbacks->progress(summary);
  };
  forwarding.requantized = [this](const RequantizeReport& report) {
    if (callbacks->requantized) callbacks->requantized(report);
  };
  forwarding.frozen = [this](const FreezeReport& report) {
    if (callbacks->frozen) callbacks->frozen(report);
  };
  forwarding.log_fields = [this](const EpochSummary& summary) {
    LogFields fields = callbacks->log_fields ? callbacks->log_fields(summary) : LogFields();
    const double seconds = Seconds() - epoch_start;
    fields["seconds"] = seconds;
    fields["images_per_second"] = seconds > 0 ? training_images / seconds : 0;
    return fields;
  };
  forwarding.epoch_end = [this](const EpochSummary& summary) {
    last = summary;
    ++epochs;
    training_images = train.size();
    epoch_start = Seconds();
    if (callbacks->epoch_end) callbacks->epoch_end(summary);
  };
  return forwarding;
}

TrainResult Training::Run::Fit(const TrainerCallbacks& given) {
  if (has_files() && !started && options.existing == Existing::kOverwrite) RemoveOld();
  started = true;
  callbacks = &given;
  epochs = 0;
  training_images = train.size() - trainer->progress().images;
  const double start = epoch_start = Seconds();
  trainer->Run();
  lock.reset();  // nothing is left to write
  TrainResult result = Result();
  result.seconds = Seconds() - start;
  return result;
}

TrainResult Training::Run::Result() {
  TrainResult result;
  if (has_files()) {
    result.checkpoint = options.output;
    result.best = BestPath(options.output);
    result.log = LogPath(options.output);
  }
  result.epochs = epochs;
  result.not_replayed = trainer->not_captured();
  result.frozen = model.network().frozen();
  result.bits = model.Bits();
  if (last) {
    result.test_accuracy = last->test_accuracy;
    result.test_loss = last->test_loss;
  } else {
    EvaluationOptions evaluation;
    evaluation.batch_size = model.config().evaluation().batch_size();
    const EvaluationResult evaluated = bitgate::Evaluate(model.network(), test, evaluation);
    result.test_accuracy = evaluated.accuracy();
    result.test_loss = evaluated.cross_entropy;
  }
  return result;
}

Training::Training(Model& model, const TrainingOptions& options)
    : model_(model), run_(std::make_unique<Run>(model, options)) {}

Training::Training(Model& model) : model_(model) {}

Training::~Training() = default;

TrainResult Training::Fit(const TrainerCallbacks& callbacks) {
  if (run_ == nullptr) throw FailedPrecondition("training: expected data to fit, got a training without");
  if (stepper_ != nullptr)
    throw FailedPrecondition("training: expected one that fits, got one that takes single steps");
  return run_->Fit(callbacks);
}

StepResult Training::Step(const Tensor& images, const Tensor& labels, double learning_rate_factor) {
  if (run_ != nullptr && run_->started) {
    throw FailedPrecondition("training: expected one that takes single steps, got one that has begun to fit");
  }
  if (stepper_ == nullptr) {
    stepper_ = std::make_unique<Stepper>(model_.network(), MakeTrainerOptions(model_.config()));
  }
  return stepper_->Step(model_.Preprocessed(images), labels, learning_rate_factor);
}

}  // namespace bitgate::jobs
