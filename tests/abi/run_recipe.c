/* All verbs on a recipe, through the C interface, as the command line runs them:
 *
 *   run_recipe RECIPE DATA_FOLDER OUTPUT_FOLDER
 *
 * leaves run.safetensors, run.best.safetensors, frozen.safetensors, tuned.safetensors and model.onnx there. A recipe
 * whose training ends frozen goes from run to model.onnx. */
#include <stdio.h>
#include <string.h>

#include "api/c/bitgate.h"

#define TRY(call)                                                              \
  do {                                                                         \
    if ((call) != BG_STATUS_OK) {                                              \
      fprintf(stderr, "run_recipe: %s: %s\n", #call, bg_last_error_message()); \
      return 1;                                                                \
    }                                                                          \
  } while (0)

static const char* path_in(const char* folder, const char* name) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static int fit(bg_trainer* trainer) {
  bg_train_result result = {.struct_size = sizeof result};
  TRY(bg_trainer_fit(trainer, NULL, &result));
  printf("%lld epochs, accuracy %.4f\n", (long long)result.epochs, result.test_accuracy);
  bg_trainer_free(trainer);
  return 0;
}

int main(int argc, char** argv) {
  const char* folder = argc == 4 ? argv[3] : "";
  bg_config* config = NULL;
  bg_model *model = NULL, *opened = NULL;
  bg_dataset *train = NULL, *test = NULL;
  bg_trainer* trainer = NULL;
  bg_trainer_options options = {.struct_size = sizeof options, .existing = BG_EXISTING_REFUSE};
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  int32_t frozen = 0;
  if (argc != 4) {
    fprintf(stderr, "usage: run_recipe RECIPE DATA_FOLDER OUTPUT_FOLDER\n");
    return 2;
  }
  TRY(bg_check_abi(BG_ABI_VERSION));
  TRY(bg_config_create_from_recipe(argv[1], &config));
  TRY(bg_model_create(config, "cpu", &model));
  TRY(bg_dataset_create_from_folder(argv[2], BG_SPLIT_TRAIN, 0, &train));
  TRY(bg_dataset_create_from_folder(argv[2], BG_SPLIT_TEST, 0, &test));
  options.output = path_in(folder, "run.safetensors");
  TRY(bg_trainer_create(model, train, test, &options, &trainer));
  if (fit(trainer) != 0) return 1;
  TRY(bg_model_is_frozen(model, &frozen));
  if (!frozen) {
    TRY(bg_model_freeze(model, NULL));
    TRY(bg_model_save(model, path_in(folder, "frozen.safetensors")));
    TRY(bg_config_set(config, "fine_tune.epochs", "2"));
    TRY(bg_model_set_config(model, config));
    options.output = path_in(folder, "tuned.safetensors");
    TRY(bg_trainer_create_fine_tuner(model, train, test, &options, &trainer));
    if (fit(trainer) != 0) return 1;
    TRY(bg_model_create_from_file(path_in(folder, "tuned.safetensors"), "cpu", &opened));
  } else {
    TRY(bg_model_create_from_file(path_in(folder, "run.safetensors"), "cpu", &opened));
  }
  TRY(bg_model_evaluate(opened, test, NULL, NULL, &evaluation));
  TRY(bg_model_export_onnx(opened, path_in(folder, "model.onnx"), NULL));
  printf("%lld of %lld images\n", (long long)evaluation.correct, (long long)evaluation.images);
  bg_model_free(opened);
  bg_model_free(model);
  bg_dataset_free(train);
  bg_dataset_free(test);
  bg_config_free(config);
  return 0;
}
