// Configurations: from text, from single settings, to what the layers below want.
#ifndef BITGATE_MODELS_JOBS_CONFIG_H_
#define BITGATE_MODELS_JOBS_CONFIG_H_

#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/jobs/config.pb.h"
#include "models/train/trainer.h"

namespace bitgate::jobs {

// One override: `path` names a field of Config through its messages, "training.epochs".
struct Setting {
  std::string path, value;
  std::string origin;  // how the user wrote it, for messages: "--epochs"
};

// Protobuf text format. Throws InvalidArgument "<where>:<line>:<column>: ...", naming the closest known field for a
// name that is none.
Config ParseConfig(const std::string& text, const std::string& where);

// Text that ParseConfig reads back to an equal configuration; the same for the same configuration.
std::string ToText(const Config& config);

// Sets one field; a list takes values separated by commas and replaces what was there. Throws InvalidArgument naming
// the closest known setting, or the kind of value that is expected.
void Apply(const Setting& setting, Config* config);

// Applies all; then throws InvalidArgument for one that the configuration's quantizer takes no notice of.
void Apply(const std::vector<Setting>& settings, Config* config);

// Every path that Apply takes.
std::vector<std::string> SettingNames();

// Builds the network that the configuration names, the weights of network.leave_float left in float. graph_file must
// have been replaced by `graph` (recipes.h). Throws InvalidArgument (also for a network that is not in the zoo, and
// listing the names in leave_float that are no node with a weight) and what Graph throws.
Graph BuildGraph(const Config& config);

TrainerOptions MakeTrainerOptions(const Config& config);

// The first setting in which the two differ, as "modified: quantizer.mu: 0.1 -> 0.2"; "" if they are equal (a default
// that is spelled out is no difference).
std::string Difference(const Config& first, const Config& second);

// The configuration of fine-tuning a network that was trained with `trained`: that, but fine_tune, evaluation and
// training's batch_size, seed and augmentation as in `asked`. Throws InvalidArgument if `asked` differs in anything
// else.
Config ForFineTuning(const Config& trained, const Config& asked);

// Whether everything in it is known and in range, before data is read. Throws InvalidArgument.
void Check(const Config& config);
// The same, for a network that may be trained later or never: training.epochs may be missing, and requantize_every need
// not fit them.
void CheckButEpochs(const Config& config);
// What CheckButEpochs leaves out.
void CheckEpochs(const Config& config);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_CONFIG_H_
