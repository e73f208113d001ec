// The subcommands: a file each.
#ifndef BITGATE_TOOLS_BITGATE_COMMAND_LIST_H_
#define BITGATE_TOOLS_BITGATE_COMMAND_LIST_H_

#include <string>
#include <vector>

#include "tools/bitgate/arguments.h"

namespace bitgate::cli {

Command TrainCommand();
Command EvalCommand();
Command FreezeCommand();
Command FineTuneCommand();
Command ExportCommand();
Command BitsCommand();
Command VersionCommand();

// All of them in the order of use, each with the flags that all have.
std::vector<Command> Commands();

// What `bitgate --help` and `bitgate <command> --help` print.
std::string ProgramHelp();
std::string CommandHelp(const Command& command);

}  // namespace bitgate::cli

#endif  // BITGATE_TOOLS_BITGATE_COMMAND_LIST_H_
