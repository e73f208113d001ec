// The verbs on files: a checkpoint in, another file out. Over models in memory: model.h, training.h.
//
//   train -> freeze -> fine-tune -> export, and evaluate and bits for the checkpoint of any of them
//
// Every verb takes plain options, does its whole work, and returns plain results. Nothing is printed. Besides what is
// said at a verb all of them throw: NotFound, DataLoss or FailedPrecondition for a checkpoint that is missing, damaged
// or not ours; UnsupportedDevice for a device that this build or machine lacks; Unavailable or ResourceExhausted where
// the operating system refuses. Outputs are tried before the work starts, and are written whole or not at all.
#ifndef BITGATE_MODELS_JOBS_JOBS_H_
#define BITGATE_MODELS_JOBS_JOBS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "models/jobs/config.h"
#include "models/jobs/model.h"
#include "models/jobs/training.h"
#include "models/jobs/weights.h"
#include "models/quantized/bit_report.h"
#include "models/train/evaluate.h"

namespace bitgate::jobs {

struct TrainOptions {
  // May be absent with kResume: the checkpoint's own. Must equal the checkpoint's if both are there.
  std::optional<Config> config;
  Data data;
  Machine machine;
  std::string output;  // last checkpoint; best and log go beside it: BestPath, LogPath
  Existing existing = Existing::kRefuse;
  // Float weights to begin with instead of random ones, as LoadFloatWeights takes them; "": none. A run that is resumed
  // has weights already and reads none. The checkpoint does not tell of it.
  std::string weights;
  std::function<void(const std::vector<LoadedWeight>&)> weights_loaded;  // told before training begins
};

// Throws InvalidArgument for a configuration or data that is wrong or does not fit; what LoadFloatWeights throws;
// Cancelled when a callback stopped it, with a checkpoint that kResume goes on from; FailedPrecondition for a loss that
// is not finite; Unavailable while another run, in whatever process, writes `output`. The log's lines get "seconds" and
// "images_per_second"; a run that has not finished an epoch leaves no log.
TrainResult Train(const TrainOptions& options, const TrainerCallbacks& callbacks = {});

struct FineTuneOptions {
  std::string checkpoint;  // frozen
  // As ForFineTuning takes it: the checkpoint's own (ReadConfig) but for what fine-tuning reads. Absent: the
  // checkpoint's own.
  std::optional<Config> config;
  Data data;
  Machine machine;
  std::string output;
  Existing existing = Existing::kRefuse;
};

// Weights and ranges go on with bits and channels as they are. Throws as Train does; FailedPrecondition for a
// checkpoint that is not frozen.
TrainResult FineTune(const FineTuneOptions& options, const TrainerCallbacks& callbacks = {});

// What is evaluated is either a checkpoint, or the network of a configuration with float weights and without
// quantizers.
struct EvaluateOptions {
  std::string checkpoint;
  std::optional<Config> config;
  std::string weights;  // as LoadFloatWeights takes them
  Data data;
  Machine machine;
  int64_t batch_size = 0;                        // 0: the configuration's
  bool predictions = false;                      // fill EvaluationResult::predictions
  std::string predictions_file;                  // and write them here, one class a line; "": nowhere
  std::function<bool(int64_t images)> progress;  // as EvaluationOptions::progress
};

struct EvaluateResult {
  EvaluationResult evaluation;
  BitReport bits;
  bool frozen = false;
  std::vector<LoadedWeight> weights;  // of float weights
};

// The test set. Throws InvalidArgument unless the options have one of the two; what LoadFloatWeights throws.
EvaluateResult Evaluate(const EvaluateOptions& options);

struct FreezeOptions {
  std::string checkpoint, output;
  // Of a run that was stopped before its end: what the end of training does before it freezes is done first, which is
  // to requantize (Method::requantizes) and to calibrate with the training half (Method::calibrates).
  std::optional<Data> data;
  Machine machine;
};

struct FreezeResult {
  std::vector<std::string> warnings;  // of requantizing: layers whose weights are all zero
  FreezeReport report;
  BitReport bits;
};

// Fixes bits and channels. Throws FailedPrecondition if that has happened already, or if data is missing.
FreezeResult Freeze(const FreezeOptions& options);

struct ExportOptions {
  std::string checkpoint;
  std::string onnx;     // "": none
  std::string weights;  // float weights with PyTorch's names and layouts, see WriteFloatWeights; "": none
  Machine machine;
};

// Throws InvalidArgument unless something is to be written; FailedPrecondition for ONNX of a checkpoint that is not
// frozen.
ExportResult Export(const ExportOptions& options);

struct BitsResult {
  BitReport bits;
  bool frozen = false;
};

BitsResult Bits(const std::string& checkpoint, const Machine& machine = {});

// The configuration in a checkpoint.
Config ReadConfig(const std::string& checkpoint);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_JOBS_H_
