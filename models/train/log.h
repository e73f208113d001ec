// The machine-readable log beside a checkpoint: one line of JSON for every epoch.
//
//   {"line": 1, "phase": "gates", "epoch": 1, "epochs": 10, "global_step": 469,
//    "train_loss": ..., "train_penalty": ..., "train_accuracy": ..., "test_loss": ..., "test_accuracy": ...,
//    "penalty": ..., "objective": ..., "best": true, "relative_bops": ..., "bytes": ...,
//    "learning_rates": {"weights": ..., "gates": ..., "ranges": ...}, "bits": {"conv1/weight": 4, ...},
//    "kept_channels": {"conv1/weight": [30, 32], ...}, <the caller's fields>}
//
// Accuracies and relative BOPs are fractions. Times and facts about the host are the caller's and live here only.
#ifndef BITGATE_MODELS_TRAIN_LOG_H_
#define BITGATE_MODELS_TRAIN_LOG_H_

#include <cstdint>
#include <map>
#include <string>

#include "models/train/summary.h"
#include "runtime/base/file.h"

namespace bitgate {

// The caller's numbers, by name ("seconds").
using LogFields = std::map<std::string, double>;

class TrainingLog {
 public:
  // Opens the log for appending, creating it if it is missing, and cuts it back: lines numbered 1..`lines` stay, up to
  // the first that is missing, torn or damaged. Throws what opening a file throws (runtime/base/file.h).
  TrainingLog(const std::string& path, int64_t lines);

  // Appends a line; it is on the disk when this returns.
  void Append(const EpochSummary& summary, const LogFields& fields);

 private:
  AppendFile file_;
};

// One line, with its newline. Throws InvalidArgument if a field has the name of one of the log's own.
std::string FormatLogLine(const EpochSummary& summary, const LogFields& fields);

}  // namespace bitgate

#endif  // BITGATE_MODELS_TRAIN_LOG_H_
