#include "models/jobs/recipes.h"
#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"

namespace bitgate::cli {
namespace {

int RunTrain(const Arguments& arguments) {
  jobs::TrainOptions options;
  options.output = arguments.Require("output");
  options.existing = ExistingOf(arguments);
  options.data = DataOf(arguments);
  options.machine = MachineOf(arguments);
  options.weights = arguments.Get("weights");
  options.weights_loaded = [&](const std::vector<jobs::LoadedWeight>& loaded) {
    TellWeights(arguments, options.weights, loaded);
  };
  if (arguments.Has("recipe")) {
    options.config = WithSettings(AsUsage([&] { return jobs::LoadRecipe(arguments.Get("recipe")); }), arguments);
  } else if (options.existing != jobs::Existing::kResume) {
    arguments.Require("recipe");
  } else if (!arguments.settings().empty()) {
    throw UsageError("train: " + arguments.settings()[0].origin + " needs --recipe; without it --resume takes the " +
                     "settings from the checkpoint");
  }
  return TrainAndReport(arguments, ResumeCommand(arguments, /*with_settings=*/false),
                        [&](const TrainerCallbacks& callbacks) { return jobs::Train(options, callbacks); });
}

std::string Description() {
  std::string text =
      "Trains the network of a recipe while gates decide how many bits each tensor keeps and which channels stay; "
      "then,\n"
      "if the recipe has a fine_tune phase, freezes the decision and trains on. After every epoch it saves a "
      "checkpoint\n"
      "and adds a line to the log. Ctrl-C stops with a checkpoint from which --resume goes on.\n"
      "\nRecipes (a file's path does as well):\n";
  for (const jobs::Recipe& recipe : jobs::BuiltInRecipes()) {
    text += "  " + recipe.name + "\n      " + recipe.summary + "\n";
  }
  return text;
}

}  // namespace

Command TrainCommand() {
  Command command;
  command.name = "train";
  command.usage = "--recipe=NAME --output=FILE [FLAGS]";
  command.summary = "train a network of a recipe; its gates learn bit widths and channels";
  command.description = Description();
  command.flags = {
      {"recipe", 'r', "NAME", "one of the above, or a file (with --resume: the checkpoint's, if left out)"}};
  for (const Flag& flag : TrainingFlags()) command.flags.push_back(flag);
  for (const Flag& flag : WeightsFlags(
           "begin with these float weights: PyTorch's state_dict as safetensors, or a checkpoint that is not frozen")) {
    command.flags.push_back(flag);
  }
  command.flags.push_back({"epochs", 0, "N", "short for --training.epochs", "training.epochs"});
  command.flags.push_back({"batch_size", 0, "N", "short for --training.batch_size", "training.batch_size"});
  command.flags.push_back({"seed", 0, "N", "short for --training.seed", "training.seed"});
  command.flags.push_back({"mu", 0, "X", "short for --quantizer.mu: more of it, fewer bits", "quantizer.mu"});
  command.takes_settings = true;
  command.examples =
      "  bitgate train --recipe=lenet5_fashion_quickstart --output=run.safetensors\n"
      "  bitgate train --recipe=lenet5_mnist_bayesian_bits --data=mnist --output=run.safetensors --mu=0.2 --seed=2\n"
      "  bitgate train --recipe=lenet5_mnist_bayesian_bits --weights=lenet5.safetensors --data=mnist -o "
      "run.safetensors\n"
      "  bitgate train --resume --output=run.safetensors --data=mnist\n";
  command.run = RunTrain;
  return command;
}

}  // namespace bitgate::cli
