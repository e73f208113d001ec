#include "tools/bitgate/command_list.h"

#include <algorithm>

namespace bitgate::cli {
namespace {

std::string Padded(std::string text, size_t width) {
  text.resize(std::max(width, text.size()), ' ');
  return text;
}

std::string Left(const Flag& flag) {
  return (flag.letter != 0 ? std::string("-") + flag.letter + ", " : "    ") + "--" + flag.name +
         (flag.value.empty() ? "" : "=" + flag.value);
}

bool Takes(const Command& command, const std::string& setting) {
  if (command.setting_prefixes.empty()) return true;
  const auto begins = [&](const std::string& prefix) { return setting.rfind(prefix, 0) == 0; };
  return std::any_of(command.setting_prefixes.begin(), command.setting_prefixes.end(), begins);
}

// Settings by the message they are in: "--training.weights.  kind learning_rate ...".
std::string SettingsHelp(const Command& command) {
  std::string text = "\nSettings of the recipe are flags too, as --evaluation.batch_size=512:\n";
  std::string group;
  for (const std::string& name : jobs::SettingNames()) {
    const size_t end = name.rfind('.') + 1;
    if (!Takes(command, name)) continue;
    if (name.substr(0, end) != group) {
      if (!group.empty()) text += "\n";
      group = name.substr(0, end);
      text += "  --" + Padded(group, 30);
    }
    text += " " + name.substr(end);
  }
  return text + "\n";
}

}  // namespace

std::vector<Command> Commands() {
  std::vector<Command> commands = {TrainCommand(),  EvalCommand(), FreezeCommand(), FineTuneCommand(),
                                   ExportCommand(), BitsCommand(), VersionCommand()};
  for (Command& command : commands) {
    for (const Flag& flag : CommonFlags()) command.flags.push_back(flag);
  }
  return commands;
}

std::string ProgramHelp() {
  std::string text =
      "Bitgate trains neural networks that learn their own bit widths and lose the channels they do not need.\n\n"
      "Usage: bitgate COMMAND [FLAGS]\n\nCommands, in the order of a run:\n";
  for (const Command& command : Commands()) text += "  " + Padded(command.name, 12) + command.summary + "\n";
  text +=
      "\nA first run, on Fashion-MNIST of the Debian package dataset-fashion-mnist:\n"
      "  bitgate train --recipe=lenet5_fashion_quickstart --output=run.safetensors\n"
      "  bitgate bits run.safetensors\n"
      "  bitgate export run.safetensors --onnx=model.onnx\n"
      "\nResults go to standard output (one JSON object with --json), progress and messages to standard error.\n"
      "Exit codes: 0 done; 1 failed (data, files, state, device); 2 the command line, a recipe or a graph is wrong;\n"
      "130 interrupted (a checkpoint was saved).\n"
      "\n`bitgate COMMAND --help` tells more about a command.\n";
  return text;
}

std::string CommandHelp(const Command& command) {
  std::string text = "Usage: bitgate " + command.name + (command.usage.empty() ? "" : " " + command.usage) + "\n\n" +
                     command.description + "\nFlags (--name=value or --name value):\n";
  size_t width = 0;
  for (const Flag& flag : command.flags) width = std::max(width, Left(flag).size());
  for (const Flag& flag : command.flags) text += "  " + Padded(Left(flag), width + 2) + flag.help + "\n";
  if (command.takes_settings) text += SettingsHelp(command);
  return text + "\nExamples:\n" + command.examples;
}

}  // namespace bitgate::cli
