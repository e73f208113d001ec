#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

Json SitesJson(const FreezeReport& report) {
  Json sites = Json::array();
  for (const FrozenSite& site : report.sites) {
    sites.push_back(Json{{"name", site.name},
                         {"bits", site.bits},
                         {"kept_channels", site.kept_channels},
                         {"channels", site.channels},
                         {"changed_codes", site.changed_codes},
                         {"codes", site.codes}});
  }
  return sites;
}

int RunFreeze(const Arguments& arguments) {
  jobs::FreezeOptions options;
  options.checkpoint = arguments.positional(0);
  options.output = arguments.Require("output");
  if (arguments.Has("data")) options.data = DataOf(arguments);
  options.machine = MachineOf(arguments);
  const jobs::FreezeResult result = jobs::Freeze(options);
  for (const std::string& warning : result.warnings) {
    std::fprintf(stderr, "bitgate: warning: %s\n", OneLine(warning).c_str());
  }
  if (arguments.Has("json")) {
    PrintResult(Json{{"checkpoint", options.output},
                     {"sites", SitesJson(result.report)},
                     {"notes", result.report.notes},
                     {"bits", BitsJson(result.bits)}});
    return 0;
  }
  std::string text = FormatTable(result.bits) + "\n";
  for (const std::string& line : FreezeLines(result.report)) text += line + "\n";
  PrintResult(text + "checkpoint " + options.output + " (frozen)\n");
  return 0;
}

}  // namespace

Command FreezeCommand() {
  Command command;
  command.name = "freeze";
  command.usage = "CHECKPOINT --output=FILE [FLAGS]";
  command.summary = "fix bit widths and channels as the gates stand";
  command.description =
      "Replaces the gates by their decision: every tensor gets the plain quantizer that is exported later. Quantizing\n"
      "in one step instead of several moves a few weights on a tie to the next code; the report counts them.\n";
  command.positionals = 1;
  command.flags = {{"output", 'o', "FILE", "the frozen checkpoint"},
                   {"data", 0, "FOLDER",
                    "training images of a BSQ run that was stopped early: re-quantizes, and notes what freezing must "
                    "know of activations, as the end of training does"}};
  command.examples =
      "  bitgate freeze run.safetensors -o frozen.safetensors\n"
      "  bitgate freeze stopped.safetensors --data=cifar10 -o frozen.safetensors\n";
  command.run = RunFreeze;
  return command;
}

}  // namespace bitgate::cli
