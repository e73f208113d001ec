#include "models/jobs/version.h"

#include "absl/strings/str_join.h"
#include "runtime/base/thread_pool.h"
#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

int RunVersion(const Arguments& arguments) {
  const jobs::Machine machine = MachineOf(arguments);
  if (machine.threads != 0) SetThreads(machine.threads);
  const jobs::VersionInfo info = arguments.Has("device") ? jobs::Version(machine.device) : jobs::Version();
  if (arguments.Has("json")) {
    PrintResult(Json::parse(jobs::ToJson(info)));
  } else {
    const auto add_library = [](std::string* line, const auto& library) {
      line->append(library.first).append(" ").append(library.second);
    };
    const std::string device =
        info.device.empty() ? ""
                            : "device            " + info.device + ": " + info.device_name +
                                  (info.device_error.empty() ? "" : "not usable: " + OneLine(info.device_error)) + "\n";
    PrintResult("bitgate " + info.version + " (" + info.build + " build)\nprocessor         " + info.processor +
                "\ninstruction sets  " + absl::StrJoin(info.instruction_sets, " ") + "\nkernels for       " + info.isa +
                "\nthreads           " + std::to_string(info.threads) + "\nlibraries         " +
                absl::StrJoin(info.libraries, ", ", add_library) + "\n" + device);
  }
  return 0;
}

}  // namespace

Command VersionCommand() {
  Command command;
  command.name = "version";
  command.summary = "version, processor, instruction sets and libraries in use";
  command.description =
      "Tells what this program is and what it found on this machine. BITGATE_ISA=scalar or avx2 in the environment\n"
      "makes kernels use less than the processor has; results are the same. With --device it says what that device "
      "is,\n"
      "or why it cannot be used.\n";
  command.examples = "  bitgate version\n  bitgate version --device=cuda:0 --json\n";
  command.run = RunVersion;
  return command;
}

}  // namespace bitgate::cli
