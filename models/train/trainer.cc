#include "models/train/trainer.h"

#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include "models/graph/site.h"
#include "models/quantized/cost.h"
#include "models/train/device_batch.h"
#include "models/train/evaluate.h"
#include "models/train/feeder.h"
#include "models/train/train_step.h"
#include "runtime/base/error.h"
#include "runtime/base/file.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

LoaderOptions TrainLoading(const TrainerOptions& options) {
  LoaderOptions loading;
  loading.batch_size = options.batch_size;
  loading.shuffle = true;
  loading.seed = options.seed;
  loading.augmentation = options.augmentation;
  return loading;
}

LoaderOptions TestLoading(const TrainerOptions& options) {
  LoaderOptions loading;
  loading.batch_size = options.evaluation_batch_size;
  return loading;
}

}  // namespace

GroupsOptions GroupsOf(const PhaseOptions& phase) { return {phase.weights, phase.gates, phase.ranges}; }

void CheckPhase(const std::string& name, const PhaseOptions& phase) {
  if (phase.epochs < 0) throw InvalidArgument("phase ", name, ": expected epochs of at least 0, got ", phase.epochs);
  const GroupsOptions groups = GroupsOf(phase);
  for (int group = 0; group < kParameterGroups; ++group) {
    CheckGroupOptions("phase " + name + ": " + ToString(static_cast<ParameterGroup>(group)), groups[group]);
  }
}

struct Trainer::Impl {
  Network& network;
  Context& context;
  Dataset train, test;
  TrainerOptions options;
  TrainerFiles files;
  TrainerCallbacks callbacks;
  Feeder feeder, test_feeder;
  std::unique_ptr<Feeder> calibration_feeder;  // the training images as they are; made when it is needed
  std::unique_ptr<TrainStep> step;
  int64_t revision = 0;     // of the network, that the step belongs to
  std::string data_digest;  // made when it is first asked for
  std::unique_ptr<TrainingLog> log;
  TrainingProgress progress;

  Impl(Network& network, const Dataset& train, const Dataset& test, const TrainerOptions& options,
       const TrainerFiles& files, const TrainerCallbacks& callbacks)
      : network(network),
        context(network.context()),
        train(train),
        test(test),
        options(options),
        files(files),
        callbacks(callbacks),
        feeder(context, network.graph(), this->train, TrainLoading(options)),
        test_feeder(context, network.graph(), this->test, TestLoading(options)) {
    BeginPhase(network.frozen() ? Phase::kFineTune : Phase::kGates);
  }

  const PhaseOptions& phase() const { return progress.phase == Phase::kGates ? options.gates : options.fine_tune; }
  int64_t steps_per_epoch() const { return feeder.batches_per_epoch(); }
  // Steps queued; `progress` counts those whose results are in.
  int64_t phase_step() const { return progress.epoch * steps_per_epoch() + progress.batch + step->pending(); }
  bool requantizes() const { return progress.phase == Phase::kGates && network.method().requantizes(); }
  // Of the phase, after which the optimizers began anew.
  int64_t last_requantized_epoch() const;

  void BeginPhase(Phase phase);
  void BeginSteps();
  bool PhaseLeft() const;
  void SwitchPhase();
  void OpenFiles();

  void RunEpoch();
  void Step(const DeviceBatch& batch);
  void TakeResults(int64_t leave_pending);
  void Count(const StepResult& result);
  void CheckFinite(double loss, double penalty) const;
  Error Diverged(const std::string& got) const;
  [[noreturn]] void Stop();

  void Requantize();
  void Calibrate();
  EpochSummary EndEpoch();
  EvaluationResult EvaluateTest();
  EvaluationResult EvaluateOn(Feeder& set, Mode mode);
  double Penalty();
  const std::string& DataDigest();
  void FillCosts(EpochSummary* summary);
  void Save(const EpochSummary& summary);
  Checkpoint Capture();

  std::array<double, kParameterGroups> LearningRates(int64_t step) const;
  StepSummary Summary() const;
  std::string Place() const;
  std::string LastCheckpoint() const;
};

// -- Phases ----------------------------------------------------------------------------------------------------------

void Trainer::Impl::BeginPhase(Phase phase) {
  progress.phase = phase;
  progress.epoch = 0;
  progress.best_objective = std::numeric_limits<double>::infinity();
  BeginSteps();
}

void Trainer::Impl::BeginSteps() {
  step = std::make_unique<TrainStep>(network, GroupsOf(phase()));
  revision = network.revision();
}

bool Trainer::Impl::PhaseLeft() const {
  return progress.epoch < phase().epochs || (progress.phase == Phase::kGates && options.fine_tune.epochs > 0);
}

void Trainer::Impl::SwitchPhase() {
  const FreezeReport report = network.Freeze();
  BeginPhase(Phase::kFineTune);
  if (callbacks.frozen) callbacks.frozen(report);
}

// What cannot be written shall show before anything is computed.
void Trainer::Impl::OpenFiles() {
  if (files.checkpoint.empty() || log) return;
  for (const std::string& path : {files.checkpoint, BestPath(files.checkpoint)}) AtomicFile probe(path);
  log = std::make_unique<TrainingLog>(LogPath(files.checkpoint), progress.total_epochs);
}

// -- Steps -----------------------------------------------------------------------------------------------------------

void Trainer::Impl::RunEpoch() {
  TakeResults(0);  // of steps behind which a callback threw
  feeder.StartEpoch(progress.total_epochs, progress.batch);
  while (const DeviceBatch* batch = feeder.Next()) {
    Step(*batch);
    if (callbacks.progress && !callbacks.progress(Summary())) Stop();
  }
  TakeResults(0);
  Requantize();
  const EpochSummary summary = EndEpoch();
  Save(summary);
  if (callbacks.epoch_end) callbacks.epoch_end(summary);
}

void Trainer::Impl::Step(const DeviceBatch& batch) {
  StepInputs inputs;
  inputs.images = batch.images();
  inputs.labels = batch.labels();
  inputs.key = {options.seed, 0, static_cast<uint64_t>(progress.global_step + step->pending())};
  inputs.optimizer_step = phase_step() - last_requantized_epoch() * steps_per_epoch() + 1;
  inputs.learning_rates = LearningRates(phase_step());
  TakeResults(StepResults::kMaxPending - 1);
  step->Queue(inputs);
  TakeResults(step->pending());
}

// Those that are there, and waits for more while more than `leave_pending` are missing.
void Trainer::Impl::TakeResults(int64_t leave_pending) {
  while (const auto result = step->Take(/*wait=*/step->pending() > leave_pending)) Count(*result);
}

void Trainer::Impl::Count(const StepResult& result) {
  if (!result.learned) {
    while (step->Take(/*wait=*/true)) {  // those behind it changed nothing either
    }
    step->Proceed();
    CheckFinite(result.loss, result.penalty);
    throw Diverged("a step that was not finite before");
  }
  progress.correct += result.correct;
  progress.loss_sum += result.loss * static_cast<double>(result.images);
  progress.penalty_sum += result.penalty;
  progress.images += result.images;
  ++progress.batch;
  ++progress.global_step;
}

void Trainer::Impl::CheckFinite(double loss, double penalty) const {
  if (std::isfinite(loss) && std::isfinite(penalty)) return;
  std::ostringstream got;
  got << "cross-entropy " << loss << " and penalty " << penalty;
  throw Diverged(got.str());
}

Error Trainer::Impl::Diverged(const std::string& got) const {
  return FailedPrecondition("training: expected finite losses and parameters, got ", got, " in ", Place(),
                            "; a lower learning rate usually helps, or look for extreme values in the data and its ",
                            "preprocessing", LastCheckpoint());
}

void Trainer::Impl::Stop() {
  TakeResults(0);
  if (!files.checkpoint.empty()) WriteCheckpoint(files.checkpoint, Capture());
  throw Cancelled("training: stopped on request in ", Place(),
                  files.checkpoint.empty() ? "" : "; resuming " + files.checkpoint + " goes on from there");
}

std::array<double, kParameterGroups> Trainer::Impl::LearningRates(int64_t step) const {
  const GroupsOptions groups = GroupsOf(phase());
  std::array<double, kParameterGroups> rates;
  for (int group = 0; group < kParameterGroups; ++group) {
    rates[group] =
        groups[group].learning_rate * ScheduleFactor(groups[group].schedule, step, phase().epochs, steps_per_epoch());
  }
  return rates;
}

// -- The end of an epoch ---------------------------------------------------------------------------------------------

int64_t Trainer::Impl::last_requantized_epoch() const {
  if (!requantizes() || options.requantize_every == 0) return 0;
  return progress.epoch / options.requantize_every * options.requantize_every;
}

// What is re-quantized already (by a run that was stopped behind this) does not change again.
void Trainer::Impl::Requantize() {
  if (progress.phase != Phase::kGates) return;
  const int64_t done = progress.epoch + 1;
  const bool last = done == phase().epochs;
  const bool due = options.requantize_every > 0 && done % options.requantize_every == 0;
  if (requantizes() && (due || last)) {
    const RequantizeReport report = network.Requantize();
    BeginSteps();
    if (callbacks.requantized) callbacks.requantized(report);
  }
  if (last && network.method().calibrates()) Calibrate();
}

void Trainer::Impl::Calibrate() {
  if (!calibration_feeder) {
    calibration_feeder = std::make_unique<Feeder>(context, network.graph(), train, TestLoading(options));
  }
  network.method().BeginCalibration();
  EvaluateOn(*calibration_feeder, Mode::kCalibrate);
}

EpochSummary Trainer::Impl::EndEpoch() {
  const EvaluationResult evaluation = EvaluateTest();
  EpochSummary summary;
  summary.phase = progress.phase;
  summary.epoch = progress.epoch + 1;
  summary.epochs = phase().epochs;
  summary.line = progress.total_epochs + 1;
  summary.global_step = progress.global_step;
  const StepSummary steps = Summary();
  summary.train_loss = steps.loss;
  summary.train_penalty = steps.penalty;
  summary.train_accuracy = steps.accuracy;
  summary.test_loss = evaluation.cross_entropy;
  summary.test_accuracy = evaluation.accuracy();
  summary.penalty = Penalty();
  CheckFinite(summary.test_loss, summary.penalty);
  summary.objective = summary.test_loss + summary.penalty;
  // What is yet to be re-quantized cannot be frozen.
  const bool last = summary.epoch == phase().epochs;
  summary.best = summary.objective < progress.best_objective && (!requantizes() || last);
  summary.learning_rates = LearningRates(phase_step() - 1);
  FillCosts(&summary);
  return summary;
}

EvaluationResult Trainer::Impl::EvaluateTest() { return EvaluateOn(test_feeder, Mode::kEvaluate); }

EvaluationResult Trainer::Impl::EvaluateOn(Feeder& set, Mode mode) {
  EvaluationOptions evaluation;
  evaluation.mode = mode;
  bool stopped = false;
  evaluation.progress = [&](int64_t images) {
    if (!callbacks.progress) return true;
    StepSummary summary = Summary();
    summary.evaluating = true;
    summary.evaluated_images = images;
    summary.evaluation_images = set.size();
    stopped = !callbacks.progress(summary);
    return !stopped;
  };
  try {
    return Evaluate(network, set, evaluation);
  } catch (const Error&) {
    if (mode == Mode::kCalibrate) network.method().BeginCalibration();  // a part of the set says nothing
    if (!stopped) throw;
  }
  Stop();  // all steps of the epoch are taken; resuming begins with this evaluation
}

const std::string& Trainer::Impl::DataDigest() {
  if (data_digest.empty()) data_digest = "train " + train.Digest() + ", test " + test.Digest();
  return data_digest;
}

// The regularizer as the epoch leaves it: it depends on parameters alone, so no data and no noise have a part in it.
double Trainer::Impl::Penalty() {
  const Tensor penalty = network.method().Penalty(context);
  return penalty.defined() ? ToHost<float>(context, penalty).at(0) : 0;
}

void Trainer::Impl::FillCosts(EpochSummary* summary) {
  const SiteStates states = network.States();
  const NetworkCost cost = ComputeCost(network.graph(), states);
  summary->relative_bops = cost.relative_bops();
  summary->bytes = cost.bytes;
  summary->weight_compression = cost.weight_compression();
  for (const Site& site : QuantizationSites(network.graph())) {
    const SiteState& state = states.at(site.name);
    const bool is_weight = site.role == Role::kWeight;
    summary->sites.push_back(
        {site.name, state.bits, is_weight, is_weight ? state.kept_channels : 0, is_weight ? site.channels : 0});
  }
}

// In this order, each on the disk before the next begins. Killed before the last checkpoint is written, a resumed run
// does this epoch again: it cuts the log back and writes the same best checkpoint over the one that is there. Were the
// last written before the best, a kill between them would lose the best.
void Trainer::Impl::Save(const EpochSummary& summary) {
  Checkpoint checkpoint;
  if (!files.checkpoint.empty()) checkpoint = Capture();
  ++progress.epoch;
  ++progress.total_epochs;
  progress.batch = progress.images = progress.correct = 0;
  progress.loss_sum = progress.penalty_sum = 0;
  if (summary.best) progress.best_objective = summary.objective;
  if (files.checkpoint.empty()) return;
  checkpoint.progress = progress;
  log->Append(summary, callbacks.log_fields ? callbacks.log_fields(summary) : LogFields());
  if (summary.best) WriteCheckpoint(BestPath(files.checkpoint), checkpoint);
  WriteCheckpoint(files.checkpoint, checkpoint);
}

Checkpoint Trainer::Impl::Capture() {
  Checkpoint checkpoint = CaptureNetwork(network, files.configuration);
  checkpoint.optimizer_tensors = step->optimizers().StateTensors();
  checkpoint.progress = progress;
  checkpoint.data = DataDigest();
  try {
    CheckFiniteValues(checkpoint);
  } catch (const Error& error) {
    throw Diverged(error.what());  // a relu can hide it from the loss
  }
  return checkpoint;
}

// -- Telling ---------------------------------------------------------------------------------------------------------

StepSummary Trainer::Impl::Summary() const {
  const int64_t earlier = progress.total_epochs - progress.epoch;  // epochs of the phases before
  const int64_t later = progress.phase == Phase::kGates ? options.fine_tune.epochs : 0;
  StepSummary summary{};
  summary.phase = progress.phase;
  summary.epoch = progress.epoch + 1;
  summary.epochs = phase().epochs;
  summary.step = progress.batch + step->pending();
  summary.steps = steps_per_epoch();
  summary.images = progress.images;
  summary.images_per_epoch = train.size();
  summary.loss = progress.images > 0 ? progress.loss_sum / progress.images : 0;
  summary.penalty = progress.batch > 0 ? progress.penalty_sum / progress.batch : 0;
  summary.accuracy = progress.images > 0 ? static_cast<double>(progress.correct) / progress.images : 0;
  summary.evaluation_images = test.size();
  summary.total_steps_done = progress.global_step + step->pending();
  summary.total_steps = (earlier + phase().epochs + later) * steps_per_epoch();
  return summary;
}

std::string Trainer::Impl::Place() const {
  return std::string("phase ") + ToString(progress.phase) + ", epoch " + std::to_string(progress.epoch + 1) +
         ", after step " + std::to_string(progress.batch) + " of " + std::to_string(steps_per_epoch());
}

std::string Trainer::Impl::LastCheckpoint() const {
  if (files.checkpoint.empty() || !FileExists(files.checkpoint)) return "";
  return "; the last checkpoint is as it was before this epoch";
}

// -- Trainer ---------------------------------------------------------------------------------------------------------

Trainer::Trainer(Network& network, const Dataset& train, const Dataset& test, const TrainerOptions& options,
                 const TrainerFiles& files, const TrainerCallbacks& callbacks) {
  CheckPhase("gates", options.gates);
  CheckPhase("fine_tune", options.fine_tune);
  if (options.requantize_every < 0) {
    throw InvalidArgument("training: expected requantize_every of at least 0, got ", options.requantize_every);
  }
  CheckDataset("training images", network.graph(), train);
  CheckDataset("test images", network.graph(), test);
  if (options.evaluation_batch_size < 1) {
    throw InvalidArgument("training: expected evaluation_batch_size of at least 1, got ",
                          options.evaluation_batch_size);
  }
  impl_ = std::make_unique<Impl>(network, train, test, options, files, callbacks);
}

Trainer::~Trainer() = default;

void Trainer::Resume(const Checkpoint& checkpoint) {
  Impl& impl = *impl_;
  LoadNetwork(impl.network, checkpoint);
  impl.BeginPhase(impl.network.frozen() ? Phase::kFineTune : Phase::kGates);
  if (!checkpoint.progress) return;
  const TrainingProgress& progress = *checkpoint.progress;
  if (!checkpoint.data.empty() && checkpoint.data != impl.DataDigest()) {
    throw FailedPrecondition(checkpoint.path, ": expected the images that the run began with (", checkpoint.data,
                             "), got others (", impl.DataDigest(), ")");
  }
  if (progress.phase != impl.progress.phase) {
    throw DataLoss(checkpoint.path, ": expected a network frozen in phase fine_tune alone, got phase ",
                   ToString(progress.phase));
  }
  if (progress.epoch > impl.phase().epochs || progress.batch > impl.steps_per_epoch() ||
      (progress.batch > 0 && progress.epoch == impl.phase().epochs)) {
    throw FailedPrecondition(checkpoint.path, ": expected a place within ", impl.phase().epochs, " epochs of ",
                             impl.steps_per_epoch(), " steps in phase ", ToString(progress.phase), ", got ",
                             progress.epoch, " epochs and ", progress.batch, " steps");
  }
  impl.progress = progress;
  try {
    impl.step->optimizers().Load(checkpoint.optimizer_tensors);
  } catch (const Error& error) {
    throw Error(error.code(), checkpoint.path + ": " + error.what());
  }
}

void Trainer::Run() {
  Impl& impl = *impl_;
  if (impl.revision != impl.network.revision()) {
    throw FailedPrecondition("training: expected the network as training left it, got one that has been frozen or ",
                             "loaded since; train it with a new trainer");
  }
  if (!impl.PhaseLeft()) return;
  impl.OpenFiles();
  try {
    while (impl.PhaseLeft()) {
      if (impl.progress.epoch < impl.phase().epochs) {
        impl.RunEpoch();
      } else {
        impl.SwitchPhase();
      }
    }
  } catch (const Error& error) {
    if (error.code() != absl::StatusCode::kResourceExhausted) throw;
    throw ResourceExhausted("training: ", error.what(), ", in ", impl.Place(),
                            "; smaller batch sizes, of training and evaluation, need less", impl.LastCheckpoint());
  }
}

const TrainingProgress& Trainer::progress() const { return impl_->progress; }

const std::string& Trainer::not_captured() const { return impl_->step->not_captured(); }

PoolStatistics Trainer::captured_memory() const { return impl_->step->memory(); }

}  // namespace bitgate
