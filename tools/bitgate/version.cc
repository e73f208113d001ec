#include "models/jobs/version.h"

#include "absl/strings/str_join.h"
#include "runtime/base/thread_pool.h"
#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"

namespace bitgate::cli {
namespace {

int RunVersion(const Arguments& arguments) {
  const jobs::Machine machine = MachineOf(arguments);
  if (machine.threads != 0) SetThreads(machine.threads);
  const jobs::VersionInfo info = jobs::Version();
  if (arguments.Has("json")) {
    PrintResult(Json::parse(jobs::ToJson(info)));
  } else {
    const auto add_library = [](std::string* line, const auto& library) {
      line->append(library.first).append(" ").append(library.second);
    };
    PrintResult("bitgate " + info.version + " (" + info.build + " build)\nprocessor         " + info.processor +
                "\ninstruction sets  " + absl::StrJoin(info.instruction_sets, " ") + "\nkernels for       " + info.isa +
                "\nthreads           " + std::to_string(info.threads) + "\nlibraries         " +
                absl::StrJoin(info.libraries, ", ", add_library) + "\n");
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
      "makes kernels use less than the processor has; results are the same.\n";
  command.examples = "  bitgate version\n  bitgate version --json\n";
  command.run = RunVersion;
  return command;
}

}  // namespace bitgate::cli
