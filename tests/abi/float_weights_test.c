/* Float weights in files with PyTorch's names, read and written. */
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

/* Replaces the one place of `bytes` that reads `text` by as many others. */
static void replace(char* bytes, size_t size, const char* text, const char* by) {
  const size_t length = strlen(text);
  CHECK(strlen(by) == length);
  for (size_t at = 0; at + length <= size; ++at) {
    if (memcmp(bytes + at, text, length) != 0) continue;
    memcpy(bytes + at, by, length);
    return;
  }
  check_fail(__FILE__, __LINE__, "%s: not in the file", text);
}

static void round_trip(void) {
  const char *path = check_path("weights.safetensors"), *again = check_path("again.safetensors"), *table = NULL;
  bg_model *model = tiny_stepped_model(), *other = tiny_model();
  CHECK_OK(bg_model_write_float_weights(model, path));
  CHECK_OK(bg_model_load_float_weights(other, path, &table));
  CHECK(strncmp(table, "parameter ", 10) == 0);
  CHECK(strstr(table, "conv1/weight  conv1.weight  [6, 1, 3, 3]\n") != NULL);
  CHECK(strstr(table, "fc1/weight    fc1.weight    [12, 54]      CHW to HWC\n") != NULL);
  CHECK_OK(bg_model_write_float_weights(other, again));
  CHECK_SAME_FILE(path, again);
  CHECK_OK(bg_model_load_float_weights(other, path, NULL));
  CHECK_OK(bg_model_freeze(model, NULL));
  CHECK_OK(bg_model_write_float_weights(model, again)); /* those before quantization */
  CHECK_SAME_FILE(path, again);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "expected a network that is not frozen",
               bg_model_load_float_weights(model, path, &table));
  bg_model_free(model);
  bg_model_free(other);
}

static void of_a_checkpoint(void) {
  const char *checkpoint = check_path("checkpoint.safetensors"), *table = NULL;
  const char *weights = check_path("of_model.safetensors"), *again = check_path("of_other.safetensors");
  bg_model *model = tiny_stepped_model(), *other = tiny_model();
  CHECK_OK(bg_model_write_float_weights(model, weights));
  CHECK_OK(bg_model_save(model, checkpoint));
  CHECK_OK(bg_model_load_float_weights(other, checkpoint, &table));
  CHECK(strstr(table, "fc2/bias      fc2/bias      [4]\n") != NULL);
  CHECK_OK(bg_model_write_float_weights(other, again));
  CHECK_SAME_FILE(weights, again);
  CHECK_OK(bg_model_freeze(model, NULL));
  CHECK_OK(bg_model_save(model, checkpoint));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "a checkpoint that is not frozen",
               bg_model_load_float_weights(other, checkpoint, &table));
  bg_model_free(model);
  bg_model_free(other);
}

/* One message lists all, and the model stays as it was. */
static void what_does_not_fit(void) {
  const char *good = check_path("good.safetensors"), *bad = check_path("bad.safetensors");
  const char *after = check_path("after.safetensors"), *table = NULL;
  bg_model* model = tiny_model();
  size_t size = 0;
  char* bytes = NULL;
  CHECK_OK(bg_model_write_float_weights(model, good));
  bytes = check_read_file(good, &size);
  memset(bytes + size - 4, 0xff, 4); /* NaN */
  check_write_file(bad, bytes, size);
  CHECK_STATUS(BG_STATUS_DATA_LOSS, "expected finite values; not finite: fc2.weight",
               bg_model_load_float_weights(model, bad, &table));
  replace(bytes, size, "\"fc2.bias\"", "\"fc9.bias\"");
  replace(bytes, size, "[12,54]", "[54,12]");
  check_write_file(bad, bytes, size);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION,
               "missing: fc2.bias [4]; of another shape or type: fc1.weight F32 [54, 12] instead of F32 [12, 54]; "
               "unknown: fc9.bias",
               bg_model_load_float_weights(model, bad, &table));
  check_write_file(bad, bytes, size - 1);
  CHECK_STATUS(BG_STATUS_DATA_LOSS, "bad.safetensors", bg_model_load_float_weights(model, bad, &table));
  CHECK_STATUS(BG_STATUS_NOT_FOUND, "none.safetensors",
               bg_model_load_float_weights(model, check_path("none.safetensors"), &table));
  CHECK(table == NULL);
  CHECK(bg_model_write_float_weights(model, check_path("no/such/file")) != BG_STATUS_OK);
  CHECK_OK(bg_model_write_float_weights(model, after));
  CHECK_SAME_FILE(good, after);
  free(bytes);
  bg_model_free(model);
}

static void with_batch_norms(void) {
  const char *path = check_path("normalised.safetensors"), *again = check_path("normalised_again.safetensors");
  const char* table = NULL;
  bg_config* config = tiny_bsq_config();
  bg_model* model = NULL;
  CHECK_OK(bg_config_set(config, "quantizer.method", "bayesian_bits")); /* which keeps weights as they are */
  CHECK_OK(bg_model_create(config, "cpu", &model));
  bg_config_free(config);
  CHECK_OK(bg_model_write_float_weights(model, path));
  CHECK_OK(bg_model_load_float_weights(model, path, &table));
  CHECK(strstr(table, "bn1/running_variance  bn1.running_var   [6]\n") != NULL);
  CHECK_OK(bg_model_write_float_weights(model, again));
  CHECK_SAME_FILE(path, again);
  bg_model_free(model);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(round_trip);
  RUN(of_a_checkpoint);
  RUN(what_does_not_fit);
  RUN(with_batch_norms);
  return check_finish();
}
