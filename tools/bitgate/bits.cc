#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"

namespace bitgate::cli {
namespace {

int RunBits(const Arguments& arguments) {
  const jobs::BitsResult result = jobs::Bits(arguments.positional(0), MachineOf(arguments));
  if (arguments.Has("json")) {
    Json json = BitsJson(result.bits);
    json["frozen"] = result.frozen;
    PrintResult(json);
  } else {
    PrintResult(FormatTable(result.bits) + (result.frozen ? "\nfrozen\n" : "\nnot frozen: bits may still change\n"));
  }
  return 0;
}

}  // namespace

Command BitsCommand() {
  Command command;
  command.name = "bits";
  command.usage = "CHECKPOINT [FLAGS]";
  command.summary = "the table of bits, channels, bit operations and bytes";
  command.description =
      "Shows, layer by layer, how many bits weights and activations have, how many channels are kept, and where the\n"
      "bit operations (BOPs) and bytes go. Relative BOPs compare with 32-bit weights and activations.\n";
  command.positionals = 1;
  command.examples = "  bitgate bits run.safetensors\n  bitgate bits frozen.safetensors --json\n";
  command.run = RunBits;
  return command;
}

}  // namespace bitgate::cli
