#include <filesystem>
#include <utility>

#include "models/jobs/jobs.h"
#include "models/jobs/session.h"
#include "runtime/base/clock.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"

namespace bitgate::jobs {
namespace {

// A training run from first checks to result; what Train and FineTune share.
class Run {
 public:
  Run(std::string output, Existing existing, Data data)
      : output_(std::move(output)), existing_(existing), data_(std::move(data)) {}

  // What is to be resumed, if anything. From here on the run has its files to itself: another one that has them is
  // Unavailable. Refuses what may not be overwritten, and tries whether output can be written.
  std::optional<Checkpoint> Begin();
  TrainResult Execute(Network& network, const Config& config, const Checkpoint* resumed,
                      const TrainerCallbacks& callbacks);

 private:
  std::vector<std::string> Checkpoints() const { return {output_, BestPath(output_)}; }
  void RemoveOld() const;
  TrainerCallbacks Timed(const TrainerCallbacks& callbacks);

  std::string output_;
  Existing existing_;
  Data data_;
  std::optional<FileLock> lock_;  // of the log, which stays the same file for the whole run
  int64_t epochs_ = 0;
  double epoch_start_ = 0;
  int64_t images_per_epoch_ = 0;
  int64_t training_images_ = 0;  // of the epoch that are still to come when it begins, or is resumed
  std::optional<EpochSummary> last_;
};

std::optional<Checkpoint> Run::Begin() {
  if (output_.empty()) throw InvalidArgument("output: expected a path for the checkpoint, got none");
  lock_.emplace(LogPath(output_));
  for (const std::string& path : Checkpoints()) {
    if (existing_ == Existing::kRefuse && FileExists(path)) {
      throw FailedPrecondition("output: expected no run there yet, got ", path, "; resume or overwrite it");
    }
  }
  for (const std::string& path : Checkpoints()) CheckWritable(path);
  if (existing_ == Existing::kResume && FileExists(output_)) return ReadCheckpoint(output_);
  return std::nullopt;
}

// Adds the wall clock to the log, and keeps the last epoch.
TrainerCallbacks Run::Timed(const TrainerCallbacks& callbacks) {
  TrainerCallbacks timed = callbacks;
  timed.log_fields = [this, &callbacks](const EpochSummary& summary) {
    LogFields fields = callbacks.log_fields ? callbacks.log_fields(summary) : LogFields();
    const double seconds = Seconds() - epoch_start_;
    fields["seconds"] = seconds;
    fields["images_per_second"] = seconds > 0 ? training_images_ / seconds : 0;
    return fields;
  };
  timed.epoch_end = [this, &callbacks](const EpochSummary& summary) {
    last_ = summary;
    ++epochs_;
    training_images_ = images_per_epoch_;
    epoch_start_ = Seconds();
    if (callbacks.epoch_end) callbacks.epoch_end(summary);
  };
  return timed;
}

// The last checkpoint first: what is left of a half-removed run cannot be taken for one to resume. The log is locked
// and stays; the trainer empties it.
void Run::RemoveOld() const {
  for (const std::string& path : Checkpoints()) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) throw Unavailable(path, ": expected to remove the old run, got: ", error.message());
  }
}

TrainResult Run::Execute(Network& network, const Config& config, const Checkpoint* resumed,
                         const TrainerCallbacks& callbacks) {
  const Dataset train = OpenData(data_, Split::kTrain, network.graph());
  const Dataset test = OpenData(data_, Split::kTest, network.graph());
  training_images_ = images_per_epoch_ = train.size();
  const TrainerCallbacks timed = Timed(callbacks);
  Trainer trainer(network, train, test, MakeTrainerOptions(config), {output_, ToText(config)}, timed);
  if (resumed != nullptr) {
    trainer.Resume(*resumed);
    if (resumed->progress) training_images_ -= resumed->progress->images;
  }
  if (existing_ == Existing::kOverwrite) RemoveOld();
  const double start = epoch_start_ = Seconds();
  trainer.Run();

  TrainResult result;
  result.checkpoint = output_;
  result.best = BestPath(output_);
  result.log = LogPath(output_);
  result.epochs = epochs_;
  result.seconds = Seconds() - start;
  result.frozen = network.frozen();
  result.bits = ReportOf(network);
  if (last_) {
    result.test_accuracy = last_->test_accuracy;
    result.test_loss = last_->test_loss;
  } else {
    EvaluationOptions options;
    options.batch_size = config.evaluation().batch_size();
    const EvaluationResult evaluation = bitgate::Evaluate(network, test, options);
    result.test_accuracy = evaluation.accuracy();
    result.test_loss = evaluation.cross_entropy;
  }
  return result;
}

void CheckSameConfig(const std::string& path, const Config& stored, const Config& asked) {
  const std::string difference = Difference(stored, asked);
  if (difference.empty()) return;
  throw FailedPrecondition(path, ": expected the configuration that the run began with, got another: ", difference);
}

}  // namespace

TrainResult Train(const TrainOptions& options, const TrainerCallbacks& callbacks) {
  if (options.config) Check(*options.config);
  Run run(options.output, options.existing, options.data);
  const std::optional<Checkpoint> resumed = run.Begin();
  if (!resumed && !options.config) {
    throw NotFound("train: expected a configuration, or a checkpoint to resume at ", options.output, ", got neither");
  }
  const Config config = resumed ? ConfigOf(*resumed) : *options.config;
  if (resumed && options.config) CheckSameConfig(options.output, config, *options.config);
  Check(config);
  const std::unique_ptr<Context> context = OpenContext(options.machine);
  Network network(*context, BuildGraph(config), config.quantizer(), config.training().seed());
  return run.Execute(network, config, resumed ? &*resumed : nullptr, callbacks);
}

TrainResult FineTune(const FineTuneOptions& options, const TrainerCallbacks& callbacks) {
  Session session = OpenSession(options.checkpoint, options.machine);
  RequireFrozen(session, "fine-tuning");
  CheckDistinct(options.checkpoint, options.output);
  const Config config = options.config ? ForFineTuning(session.config, *options.config) : session.config;
  Check(config);
  if (config.fine_tune().epochs() < 1) {
    throw InvalidArgument("fine_tune.epochs: expected at least 1, got ", config.fine_tune().epochs());
  }
  Run run(options.output, options.existing, options.data);
  const std::optional<Checkpoint> resumed = run.Begin();
  if (resumed) CheckSameConfig(options.output, ConfigOf(*resumed), config);
  return run.Execute(*session.network, config, resumed ? &*resumed : nullptr, callbacks);
}

}  // namespace bitgate::jobs
