/* BSQ: re-quantization in a training and its callback, and in a loop of one's own, to freezing and export. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

enum { kImages = 32, kTensors = 5 };
static const char* const kNames[kTensors] = {"conv1/weight", "fc1/weight", "fc1/bias", "fc2/weight", "fc2/bias"};

/* What the callback saw, and at which call it stops; 0: at none. */
typedef struct seen {
  int calls, stop_at, warnings, all_layers, dropped;
} seen;

static int32_t on_requantized(void* user_data, bg_requantize_report* report) {
  seen* so_far = user_data;
  bg_requantized_tensor tensor = {.struct_size = sizeof tensor};
  int32_t tensors = 0, warnings = -1;
  const char* warning = NULL;
  CHECK_OK(bg_requantize_report_tensor_count(report, &tensors));
  CHECK(tensors == kTensors);
  for (int32_t i = 0; i < tensors; ++i) {
    CHECK_OK(bg_requantize_report_tensor(report, i, &tensor));
    CHECK(strcmp(tensor.name, kNames[i]) == 0);
    CHECK(tensor.bits_before >= 0 && tensor.bits_before <= 8 && tensor.bits >= 0 && tensor.bits <= 8);
    so_far->dropped += tensor.bits < tensor.bits_before;
  }
  CHECK_INVALID("index", bg_requantize_report_tensor(report, tensors, &tensor));
  CHECK_OK(bg_requantize_report_warning_count(report, &warnings));
  for (int32_t i = 0; i < warnings; ++i) {
    CHECK_OK(bg_requantize_report_warning(report, i, &warning));
    so_far->all_layers += strstr(warning, "all layers") != NULL && strstr(warning, "conv1/weight") != NULL &&
                          strstr(warning, "fc2/weight") != NULL;
  }
  CHECK_INVALID("index", bg_requantize_report_warning(report, warnings, &warning));
  so_far->warnings += warnings;
  return ++so_far->calls == so_far->stop_at;
}

static bg_callbacks callbacks_of(seen* so_far) {
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .user_data = so_far, .requantized = on_requantized};
  return callbacks;
}

static void fit(bg_model* model, const char* output, seen* so_far, bg_train_result* result) {
  const bg_callbacks callbacks = callbacks_of(so_far);
  bg_trainer* trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(trainer, &callbacks, result));
  bg_trainer_free(trainer);
}

static double accuracy_of(bg_model* model) {
  bg_dataset* data = tiny_dataset(TINY_TEST, 2);
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  CHECK_OK(bg_model_evaluate(model, data, NULL, NULL, &evaluation));
  bg_dataset_free(data);
  return evaluation.accuracy;
}

static void from_training_to_export(void) {
  const char *saved = check_path("tuned.safetensors"), *again = check_path("again.safetensors");
  bg_train_result result = {.struct_size = sizeof result};
  bg_model *model = tiny_bsq_model(), *loaded = NULL;
  bg_config* config = tiny_bsq_config();
  seen so_far = {0}, tuning = {0};
  fit(model, NULL, &so_far, &result);
  CHECK(result.epochs == 6 && result.frozen == 0 && result.test_accuracy > 0.5);
  CHECK(so_far.calls == 3 && so_far.dropped > 0 && so_far.all_layers == 0);
  CHECK_OK(bg_model_freeze(model, NULL));
  CHECK_NEAR(result.test_accuracy, accuracy_of(model), 0.1); /* the scales of activations are fixed now */
  CHECK_OK(bg_config_set(config, "fine_tune.epochs", "2"));
  CHECK_OK(bg_config_set(config, "fine_tune.weights.learning_rate", "0.001"));
  CHECK_OK(bg_config_set(config, "fine_tune.ranges.learning_rate", "0")); /* as published */
  CHECK_OK(bg_model_set_config(model, config));
  fit(model, NULL, &tuning, &result);
  CHECK(result.epochs == 2 && result.frozen == 1 && result.test_accuracy > 0.5 && tuning.calls == 0);
  CHECK_OK(bg_model_save(model, saved));
  CHECK_OK(bg_model_create_from_file(saved, NULL, &loaded));
  CHECK(accuracy_of(loaded) == result.test_accuracy);
  CHECK_OK(bg_model_save(loaded, again));
  CHECK_SAME_FILE(saved, again);
  CHECK_OK(bg_model_export_onnx(loaded, check_path("model.onnx"), NULL));
  bg_model_free(loaded);
  bg_model_free(model);
  bg_config_free(config);
}

/* Stopped by the callback, with a checkpoint of that moment, and gone on with: by the same trainer, and by another. */
static void stopped_when_requantized(void) {
  const char *whole = check_path("whole.safetensors"), *output = check_path("stopped.safetensors");
  bg_train_result result = {.struct_size = sizeof result};
  bg_model* model = tiny_bsq_model();
  bg_trainer* trainer = NULL;
  seen all = {0}, some = {.stop_at = 2};
  const bg_callbacks callbacks = callbacks_of(&some);
  fit(model, whole, &all, &result);
  bg_model_free(model);

  model = tiny_bsq_model();
  trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE);
  CHECK_STATUS(BG_STATUS_CANCELLED, "epoch 4", bg_trainer_fit(trainer, &callbacks, NULL));
  some.calls = 0; /* stops once more, at the last */
  CHECK_STATUS(BG_STATUS_CANCELLED, "epoch 6", bg_trainer_fit(trainer, &callbacks, NULL));
  bg_trainer_free(trainer);
  bg_model_free(model);

  model = tiny_bsq_model();
  trainer = tiny_trainer(model, output, BG_EXISTING_RESUME);
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result));
  CHECK(result.epochs == 1);
  CHECK_SAME_FILE(whole, output);
  bg_trainer_free(trainer);
  bg_model_free(model);
}

/* Said by name, and the training goes on. */
static void no_bits_left(void) {
  bg_config* config = tiny_bsq_config();
  bg_model* model = NULL;
  bg_train_result result = {.struct_size = sizeof result};
  seen so_far = {0};
  CHECK_OK(bg_config_set(config, "quantizer.alpha", "100"));
  CHECK_OK(bg_model_create(config, NULL, &model));
  fit(model, NULL, &so_far, &result);
  CHECK(result.epochs == 6 && so_far.calls == 3 && so_far.warnings > 0 && so_far.all_layers > 0);
  bg_model_free(model);
  bg_config_free(config);
}

/* A program that was compiled before the callback was there. */
static void callbacks_of_an_older_program(void) {
  bg_model* model = tiny_bsq_model();
  bg_trainer* trainer = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  seen so_far = {0};
  bg_callbacks callbacks = callbacks_of(&so_far);
  callbacks.struct_size = (uint32_t)offsetof(bg_callbacks, requantized);
  CHECK_OK(bg_trainer_fit(trainer, &callbacks, NULL));
  CHECK(so_far.calls == 0);
  bg_trainer_free(trainer);
  bg_model_free(model);
}

static void logits_of(bg_model* model, bg_tensor* images, float* values) {
  bg_tensor* logits = NULL;
  CHECK_OK(bg_model_logits(model, images, &logits));
  CHECK_OK(bg_tensor_copy_to(logits, values, sizeof(float) * kImages * TINY_CLASSES));
  bg_tensor_free(logits);
}

static void own_loop(void) {
  bg_context* context = tiny_context();
  bg_model* model = tiny_bsq_model();
  bg_trainer* trainer = NULL;
  bg_requantize_report* report = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  bg_step_result result = {.struct_size = sizeof result};
  float before[kImages * TINY_CLASSES], after[kImages * TINY_CLASSES];
  double first = 0;
  tiny_batch(context, kImages, 3, &images, &labels);
  CHECK_OK(bg_trainer_create_stepper(model, &trainer));
  for (int step = 0; step < 40; ++step) {
    CHECK_OK(bg_trainer_step(trainer, images, labels, 1, &result));
    if (step == 0) first = result.loss;
    if (step % 20 == 19) CHECK_OK(bg_model_requantize(model, step == 19 ? NULL : &report));
  }
  CHECK(result.loss < first && result.penalty > 0);
  CHECK(report != NULL);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "calibrate", bg_model_freeze(model, NULL));
  CHECK_OK(bg_model_calibrate(model, images));
  logits_of(model, images, before);
  CHECK_OK(bg_model_freeze(model, NULL));
  logits_of(model, images, after);
  for (int i = 0; i < kImages * TINY_CLASSES; ++i) CHECK_NEAR(before[i], after[i], 1e-3);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "requantizing", bg_model_requantize(model, NULL));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "calibration", bg_model_calibrate(model, images));
  CHECK_OK(bg_trainer_step(trainer, images, labels, 1, &result));
  CHECK(result.penalty == 0);
  bg_requantize_report_free(report);
  bg_trainer_free(trainer);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_model_free(model);
  bg_context_free(context);
}

/* What was noted before is forgotten, so that freezing does not take half of it for the whole. */
static void images_that_do_not_fit(void) {
  const int64_t flat[2] = {2, TINY_SIZE * TINY_SIZE}, empty[4] = {0, TINY_SIZE, TINY_SIZE, 1};
  const int64_t dims[4] = {2 * kImages, TINY_SIZE, TINY_SIZE, 1};
  static float pixels[2 * kImages * TINY_SIZE * TINY_SIZE];
  bg_context* context = tiny_context();
  bg_model* model = tiny_bsq_model();
  bg_tensor *good = NULL, *labels = NULL, *wrong = NULL, *none = NULL, *nan = NULL;
  tiny_batch(context, kImages, 3, &good, &labels);
  pixels[sizeof pixels / sizeof *pixels - 1] = NAN; /* in the second batch */
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 2, flat, NULL, &wrong));
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, empty, NULL, &none));
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, pixels, &nan));
  CHECK_OK(bg_model_calibrate(model, good));
  CHECK_INVALID("[n, ...[8, 8, 1]]", bg_model_calibrate(model, wrong));
  CHECK_INVALID("at least one image", bg_model_calibrate(model, none));
  CHECK_INVALID("finite", bg_model_calibrate(model, nan));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "calibrate", bg_model_freeze(model, NULL));
  CHECK_OK(bg_model_calibrate(model, good));
  CHECK_OK(bg_model_freeze(model, NULL));
  bg_tensor_free(good);
  bg_tensor_free(labels);
  bg_tensor_free(wrong);
  bg_tensor_free(none);
  bg_tensor_free(nan);
  bg_model_free(model);
  bg_context_free(context);
}

/* The same loop serves methods that need neither. */
static void another_method(void) {
  bg_context* context = tiny_context();
  bg_model* model = tiny_stepped_model();
  bg_requantize_report* report = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  int32_t tensors = -1, warnings = -1;
  tiny_batch(context, kImages, 3, &images, &labels);
  CHECK_OK(bg_model_requantize(model, &report));
  CHECK_OK(bg_requantize_report_tensor_count(report, &tensors));
  CHECK_OK(bg_requantize_report_warning_count(report, &warnings));
  CHECK(tensors == 0 && warnings == 0);
  CHECK_OK(bg_model_calibrate(model, images));
  CHECK_OK(bg_model_freeze(model, NULL));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "requantizing", bg_model_requantize(model, NULL));
  bg_requantize_report_free(report);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_model_free(model);
  bg_context_free(context);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(from_training_to_export);
  RUN(stopped_when_requantized);
  RUN(no_bits_left);
  RUN(callbacks_of_an_older_program);
  RUN(own_loop);
  RUN(images_that_do_not_fit);
  RUN(another_method);
  return check_finish();
}
