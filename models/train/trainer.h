// Training: epochs of steps in two phases, with checkpoints from which a run goes on as if it had not stopped.
//
//     Trainer trainer(network, train, test, options, {"run.safetensors", configuration_text}, callbacks);
//     trainer.Run();
//
// Phase "gates" trains everything the network's method has; then the network is frozen (Network::Freeze), unless
// fine_tune has no epochs (a method that must see the training set for that, Method::calibrates, has seen it at the end
// of "gates"); phase "fine_tune" trains what a frozen network has left: weights and ranges. A network that is frozen
// already begins with fine_tune. One step: a batch to the device, forward, cross-entropy + penalty, backward, one
// optimizer call for all groups. After the first step of each batch shape the pool asks the system for nothing.
//
// An epoch ends with an evaluation, then in this order: a line of the log, the best checkpoint (if the objective is the
// lowest of the phase), the last checkpoint, each on the disk before the next begins. A run that is killed anywhere and
// resumed from the last checkpoint - or begun anew where there is none - repeats what the last checkpoint does not
// cover and writes the same bytes: noise is keyed by the global step, data order by (seed, epoch), and the log is cut
// back. That holds for one kind of processor and thread count, or one kind of GPU and its libraries.
//
// Nothing is printed and no clock is read.
#ifndef BITGATE_MODELS_TRAIN_TRAINER_H_
#define BITGATE_MODELS_TRAIN_TRAINER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "models/data/batching.h"
#include "models/data/dataset.h"
#include "models/nn/network.h"
#include "models/train/checkpoint.h"
#include "models/train/log.h"
#include "models/train/optimizer.h"
#include "models/train/summary.h"

namespace bitgate {

struct PhaseOptions {
  int64_t epochs = 0;
  GroupOptions weights, gates, ranges;
};

struct TrainerOptions {
  int64_t batch_size = 128;
  int64_t evaluation_batch_size = 256;
  uint64_t seed = 0;                 // of the data's order, its augmentation and the gates' noise
  AugmentationOptions augmentation;  // of training images
  PhaseOptions gates, fine_tune;
  // Where the network's method re-quantizes (Method::requantizes): after so many epochs of phase "gates" each, and
  // after its last; optimizers then begin anew. 0: after the last only.
  int64_t requantize_every = 0;
};

// Throws InvalidArgument, naming the phase, for a value out of range.
void CheckPhase(const std::string& name, const PhaseOptions& phase);

GroupsOptions GroupsOf(const PhaseOptions& phase);

struct TrainerFiles {
  std::string checkpoint;     // the last one; the best and the log lie beside it (BestPath, LogPath). Empty: no files
  std::string configuration;  // text kept in every checkpoint
};

// A callback may throw: that reaches the caller of Run, between two steps, and Run may be called again. To leave a
// checkpoint of that moment as well, return false from `progress`.
struct TrainerCallbacks {
  // After every step and every batch of evaluation; false stops: a checkpoint of exactly this state is saved, and Run
  // throws Cancelled.
  std::function<bool(const StepSummary&)> progress;
  // What re-quantizing did, at the end of an epoch (again when a run resumes at that point).
  std::function<void(const RequantizeReport&)> requantized;
  // What freezing did, before the first step of fine_tune (again when a run resumes at that point).
  std::function<void(const FreezeReport&)> frozen;
  // Numbers to add to the epoch's line in the log.
  std::function<LogFields(const EpochSummary&)> log_fields;
  // After the epoch's checkpoints are on the disk.
  std::function<void(const EpochSummary&)> epoch_end;
};

class Trainer {
 public:
  // The network must outlive the trainer, and belongs to it while it lives. Throws InvalidArgument for options out of
  // range and data sets that do not fit the network.
  Trainer(Network& network, const Dataset& train, const Dataset& test, const TrainerOptions& options,
          const TrainerFiles& files = {}, const TrainerCallbacks& callbacks = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // Continues where the checkpoint stands: restores network, optimizers and progress. Before Run. A checkpoint without
  // progress (of `freeze`, say) gives the network alone. Throws FailedPrecondition for a checkpoint of another network,
  // other optimizers, or a place in training that these options and data do not have. After an exception the trainer
  // and its network are good for nothing but destruction.
  void Resume(const Checkpoint& checkpoint);

  // Trains to the end; returns at once if there is nothing left. Throws Cancelled when a callback stopped it, after
  // which another Run goes on from there; FailedPrecondition when the loss is not finite, naming the step and what to
  // do (the last checkpoint is from before that), or when somebody else has frozen or loaded the network since; what
  // writing files throws.
  void Run();

  const TrainingProgress& progress() const;
  // As TrainStep has them, of the phase under way.
  const std::string& not_captured() const;
  PoolStatistics captured_memory() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_TRAINER_H_
