// How far a training run has come: with the tensors, all that is needed to go on as if it had not stopped.
#ifndef BITGATE_MODELS_TRAIN_PROGRESS_H_
#define BITGATE_MODELS_TRAIN_PROGRESS_H_

#include <cstdint>
#include <limits>
#include <string>

namespace bitgate {

enum class Phase {
  kGates,     // weights, gates and ranges learn
  kFineTune,  // the decision is frozen; weights and ranges go on
};

// "gates", "fine_tune".
const char* ToString(Phase phase);

struct TrainingProgress {
  Phase phase = Phase::kGates;
  int64_t epoch = 0;         // complete epochs of the phase
  int64_t batch = 0;         // steps taken of the epoch after those
  int64_t total_epochs = 0;  // complete epochs of the run; as many lines has its log
  int64_t global_step = 0;   // steps of the run

  // Of the epoch under way, over images or (penalty) steps.
  int64_t images = 0, correct = 0;
  double loss_sum = 0, penalty_sum = 0;

  double best_objective = std::numeric_limits<double>::infinity();  // of the phase
};

// One line of JSON, always the same for the same progress; floating point in hexadecimal, so exact.
std::string ToText(const TrainingProgress& progress);
// Throws DataLoss, naming `where` and the field.
TrainingProgress ProgressFromText(const std::string& where, const std::string& text);

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_PROGRESS_H_
