#include "tools/bitgate/common.h"

#include <cinttypes>
#include <cstdio>

#include "runtime/base/cpu.h"
#include "runtime/base/thread_pool.h"
#include "runtime/device/context.h"
#include "tools/bitgate/interrupt.h"
#include "tools/bitgate/progress.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

// Callbacks into `progress`, which must outlive them.
TrainerCallbacks CallbacksInto(Progress* progress) {
  TrainerCallbacks callbacks;
  callbacks.progress = [progress](const StepSummary& summary) {
    progress->Step(summary);
    return !Interrupted();
  };
  callbacks.epoch_end = [progress](const EpochSummary& summary) { progress->EpochEnd(summary); };
  callbacks.requantized = [progress](const RequantizeReport& report) { progress->Requantized(report); };
  callbacks.frozen = [progress](const FreezeReport& report) { progress->Frozen(report); };
  return callbacks;
}

Json ResultJson(const jobs::TrainResult& result) {
  return {{"checkpoint", result.checkpoint},
          {"best", result.best},
          {"log", result.log},
          {"frozen", result.frozen},
          {"epochs", result.epochs},
          {"seconds", result.seconds},
          {"test_accuracy", result.test_accuracy},
          {"test_loss", result.test_loss},
          {"bits", BitsJson(result.bits)}};
}

std::string ResultText(const jobs::TrainResult& result) {
  return FormatTable(result.bits) +
         Format("\ntest accuracy %s, loss %.4f, relative BOPs %s; %" PRId64 " epochs in %s\n",
                Percent(result.test_accuracy).c_str(), result.test_loss, Percent(result.bits.relative_bops).c_str(),
                result.epochs, Duration(result.seconds).c_str()) +
         "checkpoint " + result.checkpoint + (result.frozen ? " (frozen)\n" : "\n") + "best       " + result.best +
         "\nlog        " + result.log + "\n" +
         (result.not_replayed.empty()
              ? ""
              : "note: some steps were not replayed, which takes longer: " + result.not_replayed + "\n");
}

bool CpuComputes(Compute compute) {
  try {
    Context(Device{}, compute);
  } catch (const Error& error) {
    if (error.code() == absl::StatusCode::kUnimplemented) return false;
    throw;
  }
  return true;
}

// --compute, as far as the processor can.
Compute ComputeOf(const Arguments& arguments, Device device) {
  const Compute compute = AsUsage([&] { return ParseCompute(arguments.Get("compute", "float32")); });
  if (compute != Compute::kBfloat16 || device.type != DeviceType::kCpu || CpuComputes(compute)) return compute;
  std::fprintf(stderr, "notice: --compute=bfloat16: %s; computing in float32\n",
               HasBfloat16Units() ? "ONEDNN_MAX_CPU_ISA forbids AVX-512 BF16 and AMX"
                                  : "this processor has neither AVX-512 BF16 nor AMX");
  return Compute::kFloat32;
}

}  // namespace

jobs::Machine MachineOf(const Arguments& arguments) {
  jobs::Machine machine;
  machine.device = AsUsage([&] { return ParseDevice(arguments.Get("device", "cpu")); });
  machine.compute = ComputeOf(arguments, machine.device);
  machine.threads = static_cast<int>(arguments.GetInteger("threads", 0, 1, kMaxThreads));
  return machine;
}

void TellWeights(const Arguments& arguments, const std::string& file, const std::vector<jobs::LoadedWeight>& loaded) {
  const std::string table = arguments.Has("show_weights") ? jobs::FormatTable(loaded) : "";
  std::fprintf(stderr, "%s%zu tensors of %s taken\n", table.c_str(), loaded.size(), file.c_str());
}

jobs::Data DataOf(const Arguments& arguments) {
  jobs::Data data;
  data.folder = arguments.Get("data");
  return data;
}

jobs::Existing ExistingOf(const Arguments& arguments) {
  const bool resume = arguments.Has("resume"), overwrite = arguments.Has("overwrite");
  if (resume && overwrite) throw UsageError("expected at most one of --resume and --overwrite, got both");
  return resume ? jobs::Existing::kResume : overwrite ? jobs::Existing::kOverwrite : jobs::Existing::kRefuse;
}

void ThrowAsUsage(const Error& error) {
  if (error.code() == absl::StatusCode::kInvalidArgument || error.code() == absl::StatusCode::kNotFound) {
    throw UsageError(error.what());
  }
  throw error;
}

Config WithSettings(Config config, const Arguments& arguments) {
  AsUsage([&] {
    jobs::Apply(arguments.settings(), &config);
    jobs::Check(config);
  });
  return config;
}

Json BitsJson(const BitReport& report) { return Json::parse(ToJson(report)); }

void PrintResult(const std::string& text) {
  if (std::fputs(text.c_str(), stdout) < 0 || std::fflush(stdout) != 0) {
    throw Unavailable("standard output: expected to write the result, got an error");
  }
}

// A path need not be UTF-8, and JSON must be: what is not is replaced.
void PrintResult(const Json& json) { PrintResult(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"); }

std::string ResumeCommand(const Arguments& arguments, bool with_settings) {
  std::string command = "bitgate " + arguments.command();
  if (arguments.positionals() > 0) command += " " + ShellQuoted(arguments.positional(0));
  command += " --resume";
  for (const char* flag : {"output", "data", "device", "compute", "threads"}) {
    if (arguments.Has(flag)) command += std::string(" --") + flag + "=" + ShellQuoted(arguments.Get(flag));
  }
  if (!with_settings) return command;
  for (const jobs::Setting& setting : arguments.settings()) {
    command += " " + setting.origin + "=" + ShellQuoted(setting.value);
  }
  return command;
}

int TrainAndReport(const Arguments& arguments, const std::string& resume_command,
                   const std::function<jobs::TrainResult(const TrainerCallbacks&)>& run) {
  CatchInterrupts();
  jobs::TrainResult result;
  {
    Progress progress(stderr);
    try {
      result = run(CallbacksInto(&progress));
    } catch (const Error& error) {
      if (error.code() != absl::StatusCode::kCancelled) throw;
      progress.Note("interrupted: a checkpoint of this moment is saved; go on with\n  " + resume_command);
      return kInterruptedExitCode;
    }
  }
  if (arguments.Has("json")) {
    PrintResult(ResultJson(result));
  } else {
    PrintResult(ResultText(result));
  }
  return 0;
}

Flag DataFlag() {
  return {
      "data", 0, "FOLDER",
      "IDX files train-images-idx3-ubyte and so on, or CIFAR's binary batches, plain or .gz (default: Fashion-MNIST of "
      "the Debian package)"};
}

std::vector<Flag> WeightsFlags(const std::string& help) {
  return {{"weights", 0, "FILE", help}, {"show_weights", 0, "", "print which tensor of it became which parameter"}};
}

std::vector<Flag> TrainingFlags() {
  return {
      DataFlag(),
      {"output", 'o', "FILE",
       "the checkpoint, NAME.safetensors; NAME.best.safetensors and NAME.log.jsonl go beside it"},
      {"resume", 0, "", "go on from the checkpoint exactly as if the run had not stopped; begin if there is none"},
      {"overwrite", 0, "", "remove a run that is there and begin"},
  };
}

}  // namespace bitgate::cli
