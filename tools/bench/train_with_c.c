/* Trains a recipe through the C interface and prints the seconds that it took, as the command line's --json does:
 *
 *   train_with_c RECIPE DATA_FOLDER OUTPUT
 */
#include <stdio.h>

#include "api/c/bitgate.h"

#define CHECK(call)                                                   \
  do {                                                                \
    if ((call) != BG_STATUS_OK) {                                     \
      fprintf(stderr, "train_with_c: %s\n", bg_last_error_message()); \
      return 1;                                                       \
    }                                                                 \
  } while (0)

int main(int argc, char** argv) {
  bg_config* config = NULL;
  bg_model* model = NULL;
  bg_dataset *train = NULL, *test = NULL;
  bg_trainer* trainer = NULL;
  bg_trainer_options options = {.struct_size = sizeof options, .existing = BG_EXISTING_OVERWRITE};
  bg_train_result result = {.struct_size = sizeof result};
  if (argc != 4) {
    fprintf(stderr, "usage: train_with_c RECIPE DATA_FOLDER OUTPUT\n");
    return 2;
  }
  options.output = argv[3];
  CHECK(bg_check_abi(BG_ABI_VERSION));
  CHECK(bg_config_create_from_recipe(argv[1], &config));
  CHECK(bg_model_create(config, "cpu", &model));
  CHECK(bg_dataset_create_from_folder(argv[2], BG_SPLIT_TRAIN, 10, &train));
  CHECK(bg_dataset_create_from_folder(argv[2], BG_SPLIT_TEST, 10, &test));
  CHECK(bg_trainer_create(model, train, test, &options, &trainer));
  CHECK(bg_trainer_fit(trainer, NULL, &result));
  printf("{\"seconds\": %.6f, \"epochs\": %lld}\n", result.seconds, (long long)result.epochs);
  bg_trainer_free(trainer);
  bg_dataset_free(train);
  bg_dataset_free(test);
  bg_model_free(model);
  bg_config_free(config);
  return 0;
}
