// The command-line program: finds the subcommand, runs it, and turns every failure into one line and an exit code.
#include <csignal>
#include <cstdio>
#include <new>
#include <string>
#include <vector>

#include "models/jobs/suggest.h"
#include "runtime/base/error.h"
#include "tools/bitgate/arguments.h"
#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/interrupt.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

constexpr int kFailure = 1, kUsage = 2;

int Fail(int code, const std::string& message) {
  std::fprintf(stderr, "bitgate: error: %s\n", OneLine(message).c_str());
  return code;
}

bool WantsHelp(const std::string& word) { return word == "--help" || word == "-h" || word == "help"; }

const Command& FindCommand(const std::vector<Command>& commands, const std::string& name) {
  std::vector<std::string> names;
  for (const Command& command : commands) {
    if (command.name == name) return command;
    names.push_back(command.name);
  }
  const std::string closest = jobs::Closest(name, names);
  throw UsageError("unknown command '" + name + "'" + (closest.empty() ? "" : "; did you mean " + closest + "?") +
                   " (`bitgate --help` lists them)");
}

int Dispatch(std::vector<std::string> words) {
  if (words.empty()) {
    std::fputs(ProgramHelp().c_str(), stderr);
    return kUsage;
  }
  if (WantsHelp(words[0]) && words.size() == 1) {
    PrintResult(ProgramHelp());
    return 0;
  }
  if (words[0] == "--version") words[0] = "version";
  if (WantsHelp(words[0])) words = {words[1], "--help"};
  const std::vector<Command> commands = Commands();
  const Command& command = FindCommand(commands, words[0]);
  const Arguments arguments(command, {words.begin() + 1, words.end()});
  if (arguments.Has("help")) {
    PrintResult(CommandHelp(command));
    return 0;
  }
  return command.run(arguments);
}

int Main(const std::vector<std::string>& words) {
  try {
    return Dispatch(words);
  } catch (const UsageError& error) {
    return Fail(kUsage, error.what());
  } catch (const Error& error) {
    return Fail(error.code() == absl::StatusCode::kCancelled ? kInterruptedExitCode : kFailure, error.what());
  } catch (const std::bad_alloc&) {
    return Fail(kFailure, "expected more memory than this machine has to give");
  } catch (const std::exception& error) {
    return Fail(kFailure, error.what());
  }
}

}  // namespace
}  // namespace bitgate::cli

int main(int count, char** words) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow any more is an error like a full disk
  return bitgate::cli::Main({words + 1, words + count});
}
