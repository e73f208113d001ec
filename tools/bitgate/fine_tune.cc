#include "tools/bitgate/command_list.h"
#include "tools/bitgate/common.h"

namespace bitgate::cli {
namespace {

int RunFineTune(const Arguments& arguments) {
  jobs::FineTuneOptions options;
  options.checkpoint = arguments.positional(0);
  options.output = arguments.Require("output");
  options.existing = ExistingOf(arguments);
  options.data = DataOf(arguments);
  options.machine = MachineOf(arguments);
  const Config trained = jobs::ReadConfig(options.checkpoint), asked = WithSettings(trained, arguments);
  options.config = AsUsage([&] { return jobs::ForFineTuning(trained, asked); });
  if (options.config->fine_tune().epochs() < 1) {
    throw UsageError("fine-tune: expected --epochs of at least 1, for the checkpoint's recipe says nothing about it");
  }
  return TrainAndReport(arguments, ResumeCommand(arguments, /*with_settings=*/true),
                        [&](const TrainerCallbacks& callbacks) { return jobs::FineTune(options, callbacks); });
}

}  // namespace

Command FineTuneCommand() {
  Command command;
  command.name = "fine-tune";
  command.usage = "CHECKPOINT --output=FILE [FLAGS]";
  command.summary = "train a frozen network on, with bits and channels as they are";
  command.description =
      "Trains weights and ranges of a frozen checkpoint; bit widths and channels stay. Settings are those of the\n"
      "fine_tune part of the recipe that the checkpoint was trained with, unless flags say otherwise; flags may set\n"
      "fine_tune.*, evaluation.*, training.augmentation.*, training.batch_size and training.seed.\n";
  command.positionals = 1;
  command.flags = TrainingFlags();
  command.flags.push_back({"epochs", 0, "N", "short for --fine_tune.epochs", "fine_tune.epochs"});
  command.flags.push_back({"batch_size", 0, "N", "short for --training.batch_size", "training.batch_size"});
  command.flags.push_back({"seed", 0, "N", "short for --training.seed", "training.seed"});
  command.takes_settings = true;
  command.setting_prefixes = {"fine_tune.", "evaluation.", "training.augmentation.", "training.batch_size",
                              "training.seed"};
  command.examples =
      "  bitgate fine-tune frozen.safetensors --output=tuned.safetensors --epochs=10\n"
      "  bitgate fine-tune frozen.safetensors --output=tuned.safetensors --epochs=10 "
      "--fine_tune.weights.learning_rate=1e-4\n";
  command.run = RunFineTune;
  return command;
}

}  // namespace bitgate::cli
