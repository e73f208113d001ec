#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

int RunExport(const Arguments& arguments) {
  jobs::ExportOptions options;
  options.checkpoint = arguments.positional(0);
  options.onnx = arguments.Require("onnx");
  options.machine = MachineOf(arguments);
  const jobs::ExportResult result = jobs::Export(options);
  if (arguments.Has("json")) {
    PrintResult(Json{{"onnx", options.onnx}, {"warnings", result.warnings}, {"bits", BitsJson(result.bits)}});
    return 0;
  }
  for (const std::string& warning : result.warnings) {
    std::fprintf(stderr, "bitgate: warning: %s\n", OneLine(warning).c_str());
  }
  PrintResult("onnx " + options.onnx + "\n");
  return 0;
}

}  // namespace

Command ExportCommand() {
  Command command;
  command.name = "export";
  command.usage = "CHECKPOINT --onnx=FILE [FLAGS]";
  command.summary = "write a frozen network as an ONNX model";
  command.description =
      "Writes a frozen checkpoint as ONNX with QuantizeLinear and DequantizeLinear: integer weights, pruned channels\n"
      "removed. The model's metadata holds version, recipe, bits and preprocessing of the input.\n";
  command.positionals = 1;
  command.flags = {{"onnx", 0, "FILE", "the model"}};
  command.examples = "  bitgate export frozen.safetensors --onnx=model.onnx\n";
  command.run = RunExport;
  return command;
}

}  // namespace bitgate::cli
