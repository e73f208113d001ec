// What subcommands share: from flags to the options of jobs.
#ifndef BITGATE_TOOLS_BITGATE_COMMON_H_
#define BITGATE_TOOLS_BITGATE_COMMON_H_

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/jobs/jobs.h"
#include "runtime/base/error.h"
#include "tools/bitgate/arguments.h"

namespace bitgate::cli {

// Keys keep the order in which they are set.
using Json = nlohmann::ordered_json;

// --device, --compute and --threads; float32, with a notice on standard error, for bfloat16 on a processor that lacks
// it. Throws UsageError.
jobs::Machine MachineOf(const Arguments& arguments);
// --data.
jobs::Data DataOf(const Arguments& arguments);
// --resume and --overwrite. Throws UsageError for both.
jobs::Existing ExistingOf(const Arguments& arguments);

// Tells on standard error how many float weights were taken from `file`, and with --show_weights which.
void TellWeights(const Arguments& arguments, const std::string& file, const std::vector<jobs::LoadedWeight>& loaded);

// Throws UsageError for what the user wrote; what the operating system refused stays what it is.
[[noreturn]] void ThrowAsUsage(const Error& error);

// Runs `body`, in which every Error is the user's, see ThrowAsUsage.
template <class Body>
auto AsUsage(Body&& body) {
  try {
    return body();
  } catch (const Error& error) {
    ThrowAsUsage(error);
  }
}

// The configuration with the settings of the command line, checked. Throws UsageError.
Config WithSettings(Config config, const Arguments& arguments);

// {"network": ..., "layers": [...], "totals": {...}}
Json BitsJson(const BitReport& report);

// Prints to standard output; a failure to do so is Unavailable.
void PrintResult(const std::string& text);
void PrintResult(const Json& json);

// The command that goes on with an interrupted run: the same command, file, --output, --data, --device, --compute and
// --threads (results depend on them) with --resume, quoted for a shell. Of the settings, which a checkpoint holds, only
// those that the command needs again: `with_settings`.
std::string ResumeCommand(const Arguments& arguments, bool with_settings);

// Trains with progress on standard error: `run` gets the callbacks. Returns the exit code; when interrupted, tells
// `resume_command`.
int TrainAndReport(const Arguments& arguments, const std::string& resume_command,
                   const std::function<jobs::TrainResult(const TrainerCallbacks&)>& run);

// Flags of what trains: --data, --output, --resume, --overwrite.
std::vector<Flag> TrainingFlags();
// --data.
Flag DataFlag();
// --weights and --show_weights; `help` of the former.
std::vector<Flag> WeightsFlags(const std::string& help);

}  // namespace bitgate::cli

#endif  // BITGATE_TOOLS_BITGATE_COMMON_H_
