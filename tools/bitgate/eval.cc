#include <cinttypes>

#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/interrupt.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

int RunEval(const Arguments& arguments) {
  CatchInterrupts();
  jobs::EvaluateOptions options;
  options.checkpoint = arguments.positional(0);
  options.data = DataOf(arguments);
  options.machine = MachineOf(arguments);
  options.batch_size = arguments.GetInteger("batch_size", 0, 1, 1 << 20);
  options.progress = [](int64_t) { return !Interrupted(); };
  options.predictions_file = arguments.Get("predictions");
  const jobs::EvaluateResult result = jobs::Evaluate(options);

  const EvaluationResult& evaluation = result.evaluation;
  if (arguments.Has("json")) {
    PrintResult(Json{{"images", evaluation.images},
                     {"correct", evaluation.correct},
                     {"accuracy", evaluation.accuracy()},
                     {"loss", evaluation.cross_entropy},
                     {"relative_bops", result.bits.relative_bops},
                     {"frozen", result.frozen}});
  } else {
    PrintResult(Format("%" PRId64 " of %" PRId64 " test images right, %s; loss %.4f; relative BOPs %s\n",
                       evaluation.correct, evaluation.images, Percent(evaluation.accuracy()).c_str(),
                       evaluation.cross_entropy, Percent(result.bits.relative_bops).c_str()));
  }
  return 0;
}

}  // namespace

Command EvalCommand() {
  Command command;
  command.name = "eval";
  command.usage = "CHECKPOINT [FLAGS]";
  command.summary = "accuracy and loss of a checkpoint on the test images";
  command.description =
      "Runs the test images through the network as a frozen one computes: gates are open or closed, never between.\n";
  command.positionals = 1;
  command.flags = {DataFlag(),
                   {"batch_size", 0, "N", "images at a time (default: the recipe's)"},
                   {"predictions", 0, "FILE", "write the predicted class of every image, one a line"}};
  command.examples =
      "  bitgate eval run.safetensors\n"
      "  bitgate eval run.best.safetensors --data=mnist --json\n";
  command.run = RunEval;
  return command;
}

}  // namespace bitgate::cli
