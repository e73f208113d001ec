/* The whole way: train, stop, resume, freeze, fine-tune, evaluate, predict, save, load, export. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static int32_t stop_after_first_epoch(void* user_data, const bg_epoch* epoch) {
  *(bg_epoch*)user_data = *epoch;
  return epoch->epoch == 1;
}

/* Trains to `output`, stopped after an epoch and resumed by another trainer of another model. */
static bg_model* trained(const char* output) {
  bg_epoch seen = {.struct_size = sizeof seen};
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .epoch = stop_after_first_epoch, .user_data = &seen};
  bg_train_result result = {.struct_size = sizeof result};
  bg_model* model = tiny_model();
  bg_trainer *trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE), *other = NULL;
  CHECK_STATUS(BG_STATUS_CANCELLED, "epoch 1", bg_trainer_fit(trainer, &callbacks, &result));
  CHECK(result.epochs == 0 && result.seconds == 0); /* untouched */
  CHECK(seen.epoch == 1 && seen.epochs == 3 && seen.phase == BG_PHASE_GATES && seen.best == 1);
  CHECK(seen.train_loss > 0 && seen.test_loss > 0 && seen.relative_bops > 0 && seen.bytes > 0);
  bg_trainer_free(trainer);
  bg_model_free(model);

  model = tiny_model();
  {
    const bg_trainer_options refuse = {sizeof refuse, BG_EXISTING_REFUSE, output};
    bg_dataset* data = tiny_dataset(32, 1);
    CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "output", bg_trainer_create(model, data, data, &refuse, &other));
    CHECK(other == NULL);
    bg_dataset_free(data);
  }
  trainer = tiny_trainer(model, output, BG_EXISTING_RESUME);
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result));
  CHECK(result.epochs == 2 && result.frozen == 0 && result.test_accuracy > 0.5);
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result)); /* nothing is left */
  CHECK(result.epochs == 0 && result.test_accuracy > 0.5);
  bg_trainer_free(trainer);
  return model;
}

static void bits_of(bg_model* model) {
  bg_bit_report* bits = NULL;
  bg_bit_totals totals = {.struct_size = sizeof totals};
  bg_bit_row row = {.struct_size = sizeof row};
  const char *text = NULL, *json = NULL;
  double macs = 0;
  CHECK_OK(bg_model_bits(model, &bits));
  CHECK_OK(bg_bit_report_totals(bits, &totals));
  CHECK(totals.struct_size == sizeof totals && totals.rows >= 3 && totals.channels == 6 + 12 + 4);
  CHECK(totals.relative_bops > 0 && totals.relative_bops < 1 && totals.bytes < totals.float_bytes);
  for (int32_t i = 0; i < totals.rows; ++i) {
    CHECK_OK(bg_bit_report_row(bits, i, &row));
    macs += row.macs;
    CHECK(row.weight_bits <= 32 && row.layer[0] != 0 && row.kept_channels <= row.channels);
  }
  CHECK_NEAR(totals.macs, macs, 0.5);
  CHECK_INVALID("index", bg_bit_report_row(bits, totals.rows, &row));
  CHECK_INVALID("index", bg_bit_report_row(bits, -1, &row));
  CHECK_OK(bg_bit_report_text(bits, &text));
  CHECK_OK(bg_bit_report_json(bits, &json));
  CHECK(strstr(text, "conv1") != NULL && json[0] == '{' && strchr(json, '\n') == NULL);
  bg_bit_report_free(bits);
}

static void freeze(bg_model* model) {
  bg_freeze_report* report = NULL;
  bg_frozen_site site = {.struct_size = sizeof site};
  int32_t sites = 0, notes = -1, frozen = 0;
  const char* note = NULL;
  CHECK_OK(bg_model_freeze(model, &report));
  CHECK_OK(bg_model_is_frozen(model, &frozen));
  CHECK(frozen == 1);
  CHECK_OK(bg_freeze_report_site_count(report, &sites));
  CHECK(sites >= 3);
  for (int32_t i = 0; i < sites; ++i) {
    CHECK_OK(bg_freeze_report_site(report, i, &site));
    CHECK(strchr(site.name, '/') != NULL && site.changed_codes <= site.codes && site.kept_channels <= site.channels);
  }
  CHECK_INVALID("index", bg_freeze_report_site(report, sites, &site));
  CHECK_OK(bg_freeze_report_note_count(report, &notes));
  for (int32_t i = 0; i < notes; ++i) CHECK_OK(bg_freeze_report_note(report, i, &note));
  CHECK_INVALID("index", bg_freeze_report_note(report, notes, &note));
  bg_freeze_report_free(report);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "", bg_model_freeze(model, NULL));
}

/* Evaluation, classes and logits say the same. */
static void judge(bg_model* model, int32_t* classes) {
  bg_context* context = tiny_context();
  bg_dataset* data = tiny_dataset(TINY_TEST, 2);
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  bg_tensor *images = NULL, *labels = NULL, *logits = NULL;
  int64_t correct = 0, dims[2] = {0, 0};
  int32_t truth[TINY_TEST], agree = 0;
  tiny_batch(context, TINY_TEST, 2, &images, &labels);
  CHECK_OK(bg_model_evaluate(model, data, NULL, NULL, &evaluation));
  CHECK(evaluation.images == TINY_TEST && evaluation.accuracy > 0.5 && evaluation.cross_entropy > 0);
  CHECK_OK(bg_model_predict(model, images, classes));
  CHECK_OK(bg_tensor_copy_to(labels, truth, sizeof truth));
  for (int i = 0; i < TINY_TEST; ++i) agree += truth[i] == classes[i];
  CHECK(agree == evaluation.correct);
  CHECK_OK(bg_model_logits(model, images, &logits));
  CHECK_OK(bg_tensor_shape(logits, 2, dims));
  CHECK(dims[0] == TINY_TEST && dims[1] == TINY_CLASSES);
  CHECK_OK(bg_count_correct(context, logits, labels, &correct));
  CHECK(correct == evaluation.correct);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_tensor_free(logits);
  bg_dataset_free(data);
  bg_context_free(context);
}

static void from_training_to_export(void) {
  const char *output = check_path("run.safetensors"), *saved = check_path("tuned.safetensors");
  const char *again = check_path("again.safetensors"), *onnx = check_path("model.onnx");
  const char* warnings = NULL;
  bg_model *model = trained(output), *loaded = NULL;
  bg_trainer* trainer = NULL;
  bg_config* config = tiny_config_with_fine_tune();
  bg_dataset* data = tiny_dataset(32, 1);
  bg_train_result result = {.struct_size = sizeof result};
  int32_t before[TINY_TEST], after[TINY_TEST];
  char* bytes = NULL;
  size_t size = 0;
  bits_of(model);
  freeze(model);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "bg_trainer_create_fine_tuner",
               bg_trainer_create(model, NULL, NULL, NULL, &trainer));
  CHECK_INVALID("fine_tune.epochs", bg_trainer_create_fine_tuner(model, data, data, NULL, &trainer));
  bg_dataset_free(data);
  CHECK_OK(bg_model_set_config(model, config));
  trainer = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result));
  CHECK(result.epochs == 2 && result.frozen == 1);
  bg_trainer_free(trainer);
  judge(model, before);
  CHECK_OK(bg_model_save(model, saved));
  CHECK_OK(bg_model_create_from_file(saved, "cpu", &loaded));
  judge(loaded, after);
  CHECK(memcmp(before, after, sizeof before) == 0);
  CHECK_OK(bg_model_save(loaded, again));
  CHECK_SAME_FILE(saved, again);
  CHECK_OK(bg_model_export_onnx(loaded, onnx, &warnings));
  CHECK(warnings != NULL);
  bytes = check_read_file(onnx, &size);
  CHECK(bytes != NULL && size > 500);
  free(bytes);
  bg_model_free(loaded);
  bg_model_free(model);
  bg_config_free(config);
}

static void train_freeze_and_fine_tune_in_one_go(void) {
  const char* output = check_path("all.safetensors");
  bg_config* config = tiny_config_with_fine_tune();
  bg_model* model = NULL;
  bg_trainer* trainer = NULL;
  bg_train_result result = {.struct_size = sizeof result};
  char* log = NULL;
  size_t size = 0;
  CHECK_OK(bg_model_create(config, "cpu", &model));
  trainer = tiny_trainer(model, output, BG_EXISTING_OVERWRITE);
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result));
  CHECK(result.epochs == 5 && result.frozen == 1);
  log = check_read_file(check_path("all.log.jsonl"), &size);
  CHECK(log != NULL && strstr(log, "images_per_second") != NULL);
  free(log);
  bg_trainer_free(trainer);
  bg_model_free(model);
  bg_config_free(config);
}

static void data_from_a_folder(void) {
  static const char* const kNames[2][2] = {{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},
                                           {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}};
  static const unsigned char kImages[16 + 8] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8};
  static const unsigned char kLabels[8 + 2] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
  bg_dataset* data = NULL;
  int64_t size = 0, dims[3];
  char folder[600];
  for (int split = 0; split < 2; ++split) {
    check_write_file(check_path(kNames[split][0]), kImages, sizeof kImages);
    check_write_file(check_path(kNames[split][1]), kLabels, sizeof kLabels);
    snprintf(folder, sizeof folder, "%s", check_path(""));
    CHECK_OK(bg_dataset_create_from_folder(folder, split == 0 ? BG_SPLIT_TRAIN : BG_SPLIT_TEST, 0, &data));
    CHECK_OK(bg_dataset_size(data, &size));
    CHECK_OK(bg_dataset_image_shape(data, dims));
    CHECK(size == 2 && dims[0] == 2 && dims[1] == 2 && dims[2] == 1);
    bg_dataset_free(data);
  }
  data = NULL;
  CHECK_INVALID("bg_split", bg_dataset_create_from_folder(folder, (bg_split)2, 0, &data));
  CHECK_INVALID("classes", bg_dataset_create_from_folder(folder, BG_SPLIT_TEST, -1, &data));
  CHECK_INVALID("[0, 1)", bg_dataset_create_from_folder(folder, BG_SPLIT_TEST, 1, &data));
  CHECK_STATUS(BG_STATUS_NOT_FOUND, "nowhere",
               bg_dataset_create_from_folder(check_path("nowhere"), BG_SPLIT_TEST, 0, &data));
  check_write_file(check_path(kNames[1][0]), kImages, sizeof kImages - 1);
  CHECK_STATUS(BG_STATUS_DATA_LOSS, "t10k-images", bg_dataset_create_from_folder(folder, BG_SPLIT_TEST, 0, &data));
  CHECK(data == NULL);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(from_training_to_export);
  RUN(train_freeze_and_fine_tune_in_one_go);
  RUN(data_from_a_folder);
  return check_finish();
}
