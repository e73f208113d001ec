// The training of a model: to its end, in pieces, or step by step on batches of the caller's own.
#ifndef BITGATE_MODELS_JOBS_TRAINING_H_
#define BITGATE_MODELS_JOBS_TRAINING_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "models/jobs/model.h"
#include "models/train/stepper.h"
#include "models/train/trainer.h"

namespace bitgate::jobs {

// What becomes of a run that is there already.
enum class Existing {
  kRefuse,     // FailedPrecondition
  kResume,     // go on where it stands: the end is as if it had never stopped. Nothing there: begin
  kOverwrite,  // remove it and begin
};

struct TrainResult {
  std::string checkpoint, best, log;  // paths; empty without files
  double test_accuracy = 0;           // 0 to 1, of the network as it is now
  double test_loss = 0;               // mean cross-entropy
  bool frozen = false;
  int64_t epochs = 0;  // trained by this call
  double seconds = 0;  // that they took
  // Why some steps on a GPU were not captured and replayed, and so took longer than they need; empty: all were.
  std::string not_replayed;
  BitReport bits;
};

struct TrainingOptions {
  Data data;
  // Last checkpoint; best and log go beside it: BestPath, LogPath. Empty: no files, and no resuming.
  std::string output{};
  Existing existing = Existing::kRefuse;
};

// Trains as the model's configuration says: its training phase and, if it has one, fine-tuning; a frozen model
// fine-tunes. The model must outlive it.
class Training {
 public:
  // From here to its end the run has its files to itself: another one that has them, in whatever process, is
  // Unavailable.
  // Throws FailedPrecondition for a run that is there already and is neither to be resumed nor overwritten; for one
  // with another configuration or other images when resuming; InvalidArgument for data that do not fit.
  Training(Model& model, const TrainingOptions& options);
  // For Step alone: no data.
  explicit Training(Model& model);
  ~Training();
  Training(const Training&) = delete;
  Training& operator=(const Training&) = delete;

  // Trains to the end; returns at once if nothing is left. Throws Cancelled when a callback stopped it (with a
  // checkpoint, if there are files): calling again goes on from there, as it does after an exception of a callback's
  // own. Throws FailedPrecondition for a loss that is not finite; what writing files throws. The log's lines get
  // "seconds" and "images_per_second"; a run that has not finished an epoch leaves no log.
  TrainResult Fit(const TrainerCallbacks& callbacks);

  // One step on raw images (as Model::Preprocessed takes them) and labels, int32 [n] on the CPU or the model's
  // device; see Stepper. A training either fits or steps: the other is FailedPrecondition.
  StepResult Step(const Tensor& images, const Tensor& labels, double learning_rate_factor = 1);

 private:
  struct Run;
  Model& model_;
  std::unique_ptr<Run> run_;          // null: for Step alone
  std::unique_ptr<Stepper> stepper_;  // made by the first Step
};

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_TRAINING_H_
