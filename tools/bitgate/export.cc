#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

int RunExport(const Arguments& arguments) {
  jobs::ExportOptions options;
  options.checkpoint = arguments.positional(0);
  options.onnx = arguments.Get("onnx");
  options.weights = arguments.Get("weights");
  if (options.onnx.empty() && options.weights.empty()) {
    throw UsageError("export: expected --onnx or --weights, as in `bitgate export CHECKPOINT --onnx=FILE`");
  }
  options.machine = MachineOf(arguments);
  const jobs::ExportResult result = jobs::Export(options);
  if (arguments.Has("json")) {
    Json json{{"onnx", options.onnx},
              {"warnings", result.warnings},
              {"notes", result.notes},
              {"bits", BitsJson(result.bits)}};
    if (options.onnx.empty()) json.erase("onnx");
    if (!options.weights.empty()) json["weights"] = options.weights;
    PrintResult(json);
    return 0;
  }
  for (const std::string& warning : result.warnings) {
    std::fprintf(stderr, "bitgate: warning: %s\n", OneLine(warning).c_str());
  }
  std::string text;
  for (const std::string& note : result.notes) text += "exported: " + note + "\n";
  if (!options.onnx.empty()) text += "onnx " + options.onnx + "\n";
  if (!options.weights.empty()) text += "weights " + options.weights + "\n";
  PrintResult(text);
  return 0;
}

}  // namespace

Command ExportCommand() {
  Command command;
  command.name = "export";
  command.usage = "CHECKPOINT --onnx=FILE [FLAGS]";
  command.summary = "write a frozen network as an ONNX model, or float weights for PyTorch";
  command.description =
      "Writes a frozen checkpoint as ONNX with QuantizeLinear and DequantizeLinear: integer weights, pruned channels\n"
      "removed. The model's metadata holds version, recipe, bits and preprocessing of the input.\n"
      "With --weights it writes the weights before quantization, of a checkpoint frozen or not, with PyTorch's names\n"
      "and layouts: what load_state_dict(safetensors.torch.load_file(FILE)) takes.\n";
  command.positionals = 1;
  command.flags = {{"onnx", 0, "FILE", "the model"}, {"weights", 0, "FILE", "the float weights, as safetensors"}};
  command.examples =
      "  bitgate export frozen.safetensors --onnx=model.onnx\n"
      "  bitgate export run.safetensors --weights=weights.safetensors\n";
  command.run = RunExport;
  return command;
}

}  // namespace bitgate::cli
