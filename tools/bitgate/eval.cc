#include <cinttypes>

#include "models/jobs/recipes.h"
#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"
#include "tools/bitgate/interrupt.h"
#include "tools/bitgate/text.h"

namespace bitgate::cli {
namespace {

// What is to be evaluated: a checkpoint, or float weights of a recipe's network.
void SetSubject(const Arguments& arguments, jobs::EvaluateOptions* options) {
  const bool recipe = arguments.Has("recipe"), weights = arguments.Has("weights");
  if (arguments.positionals() > 0) {
    if (recipe || weights) throw UsageError("eval: expected either a checkpoint, or --recipe and --weights, got both");
    options->checkpoint = arguments.positional(0);
    return;
  }
  if (!recipe || !weights) {
    throw UsageError(
        "eval: expected a checkpoint, or --recipe and --weights, as in `bitgate eval --recipe=NAME "
        "--weights=FILE`, got " +
        std::string(recipe    ? "--recipe"
                    : weights ? "--weights"
                              : "nothing"));
  }
  options->config = AsUsage([&] {
    const Config config = jobs::LoadRecipe(arguments.Get("recipe"));
    jobs::CheckButEpochs(config);
    return config;
  });
  options->weights = arguments.Require("weights");
}

Json WeightsJson(const std::vector<jobs::LoadedWeight>& loaded) {
  Json weights = Json::array();
  for (const jobs::LoadedWeight& weight : loaded) {
    weights.push_back(Json{{"parameter", weight.parameter},
                           {"tensor", weight.tensor},
                           {"shape", weight.shape},
                           {"reordered", weight.reorder}});
  }
  return weights;
}

int RunEval(const Arguments& arguments) {
  CatchInterrupts();
  jobs::EvaluateOptions options;
  SetSubject(arguments, &options);
  options.data = DataOf(arguments);
  options.machine = MachineOf(arguments);
  options.batch_size = arguments.GetInteger("batch_size", 0, 1, 1 << 20);
  options.progress = [](int64_t) { return !Interrupted(); };
  options.predictions_file = arguments.Get("predictions");
  const jobs::EvaluateResult result = jobs::Evaluate(options);

  const EvaluationResult& evaluation = result.evaluation;
  if (!options.weights.empty()) TellWeights(arguments, options.weights, result.weights);
  if (arguments.Has("json")) {
    Json json{{"images", evaluation.images},
              {"correct", evaluation.correct},
              {"accuracy", evaluation.accuracy()},
              {"loss", evaluation.cross_entropy},
              {"relative_bops", result.bits.relative_bops},
              {"frozen", result.frozen}};
    if (!options.weights.empty()) json["weights"] = WeightsJson(result.weights);
    PrintResult(json);
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
  command.usage = "CHECKPOINT [FLAGS], or eval --recipe=NAME --weights=FILE [FLAGS]";
  command.summary = "accuracy and loss of a checkpoint, or of float weights, on the test images";
  command.description =
      "Runs the test images through the network as a frozen one computes: gates are open or closed, never between.\n"
      "Instead of a checkpoint it may be the network of a recipe, without quantizers, with float weights: what "
      "training\n"
      "with `train --weights=FILE` begins with.\n";
  command.positionals = 1;
  command.or_none = true;
  command.flags = {DataFlag(),
                   {"batch_size", 0, "N", "images at a time (default: the recipe's)"},
                   {"predictions", 0, "FILE", "write the predicted class of every image, one a line"},
                   {"recipe", 'r', "NAME", "whose network it is: a recipe's name or file; with --weights"}};
  for (const Flag& flag : WeightsFlags("evaluate these float weights, as `bitgate train --weights` takes them")) {
    command.flags.push_back(flag);
  }
  command.examples =
      "  bitgate eval run.safetensors\n"
      "  bitgate eval run.best.safetensors --data=mnist --json\n"
      "  bitgate eval --recipe=lenet5_float --weights=lenet5.safetensors --data=mnist\n";
  command.run = RunEval;
  return command;
}

}  // namespace bitgate::cli
