/* Texts and files that are wrong, damaged or not there. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static bg_graph* no_graph;
static bg_config* no_config;
static bg_model* no_model;
static bg_dataset* no_data;

static void texts_of_graphs(void) {
  static const struct {
    const char *text, *message;
  } kWrong[] = {
      {"", "graph"},
      {"name: 'n' inputs {}", "where:1:"},
      {"name: 'n'\ninput { shape: [4] }\nnode { nam: 'x' }", "where:3:"},
      {"name: 'n' input { shape: [4] } node { name: 'a' kind: 'linaer' input: 'input' }", "linaer"},
      {"name: 'n' input { shape: [4] } node { name: 'a' kind: 'relu' input: 'b' }", "b"},
      {"name: 'n' input { shape: [4] } node { name: 'a' kind: 'relu' input: 'a' }", "a"},
      {"name: 'n' input { shape: [-4] } node { name: 'a' kind: 'relu' input: 'input' }", "-4"},
      {"name: 'n' input { shape: [4611686018427387904, 4, 4] } node { name: 'a' kind: 'relu' input: 'input' }", ""},
      {"name: 'n' input { shape: [4] } node { name: 'a' kind: 'linear' input: 'input' attributes { channels: 0 } }",
       "channels"},
      {"\xff\xfe", "where:1:"},
  };
  for (size_t i = 0; i < sizeof kWrong / sizeof *kWrong; ++i) {
    CHECK_INVALID(kWrong[i].message, bg_graph_create_from_text(kWrong[i].text, "where", &no_graph));
  }
  CHECK(no_graph == NULL);
}

static void texts_of_configurations(void) {
  static const struct {
    const char *path, *value, *message;
  } kWrong[] = {
      {"", "1", ""},
      {"training", "1", "training"},
      {"training.", "1", "training"},
      {"training.epochs.more", "1", "epochs"},
      {"training.epochs", "", "epochs"},
      {"training.epochs", "1e400", "epochs"},
      {"training.epochs", "99999999999999999999", "epochs"},
      {"quantizer.mu", "much", "mu"},
      {"training.weights.kind", "MAGIC", "MAGIC"},
      {"quantizer.initially_closed_bits", "16,,32", "bits"},
  };
  static const struct {
    const char *path, *value;
  } kRefusedLater[] = {
      {"quantizer.mu", "nan"},           {"quantizer.mu", "-1"},       {"training.weights.learning_rate", "inf"},
      {"quantizer.method", "telepathy"}, {"training.batch_size", "0"}, {"quantizer.initially_closed_bits", "3"},
  };
  bg_config* config = tiny_config();
  CHECK_INVALID("where:1:", bg_config_create_from_text("trainng {}", "where", &no_config));
  CHECK_INVALID("configuration:2:", bg_config_create_from_text("training {\n epochs: many }", NULL, &no_config));
  CHECK_STATUS(BG_STATUS_NOT_FOUND, "lenet6", bg_config_create_from_recipe("lenet6", &no_config));
  CHECK_STATUS(BG_STATUS_NOT_FOUND, "none.textproto",
               bg_config_create_from_recipe(check_path("none.textproto"), &no_config));
  for (size_t i = 0; i < sizeof kWrong / sizeof *kWrong; ++i) {
    CHECK_INVALID(kWrong[i].message, bg_config_set(config, kWrong[i].path, kWrong[i].value));
  }
  CHECK_OK(bg_model_create(config, "cpu", &no_model)); /* it is as it was */
  bg_model_free(no_model);
  no_model = NULL;
  bg_config_free(config);
  for (size_t i = 0; i < sizeof kRefusedLater / sizeof *kRefusedLater; ++i) {
    bg_status status;
    config = tiny_config();
    status = bg_config_set(config, kRefusedLater[i].path, kRefusedLater[i].value);
    if (status == BG_STATUS_OK) status = bg_model_create(config, "cpu", &no_model);
    if (!CHECK(status == BG_STATUS_INVALID_ARGUMENT)) {
      check_fail(__FILE__, __LINE__, "%s = %s: %s", kRefusedLater[i].path, kRefusedLater[i].value,
                 bg_last_error_message());
    }
    bg_config_free(config);
  }
  CHECK(no_config == NULL && no_model == NULL);
}

static void builders(void) {
  const int64_t dims[3] = {8, 8, 1}, huge[2] = {INT64_MAX, INT64_MAX}, channels[2] = {4, 4};
  const double bad[2] = {NAN, 1}, zero[1] = {0};
  const int32_t bits[2] = {3, 8}, none_at_all[2] = {0, 4};
  const char* input[1] = {"input"};
  const char* nothing[1] = {"nothing"};
  const bg_attribute two = {"channels", channels, 2}, negative = {"channels", channels, -1};
  const bg_attribute unknown = {"chanels", channels, 1}, one = {"channels", channels, 1};
  bg_preprocessing preprocessing = {sizeof preprocessing, 1, 1, bad, NULL};
  bg_graph_builder* builder = NULL;
  CHECK_OK(bg_graph_builder_create("n", &builder));
  CHECK_INVALID("rank", bg_graph_builder_input(builder, NULL, 7, dims, NULL));
  CHECK_INVALID("rank", bg_graph_builder_input(builder, NULL, -1, dims, NULL));
  CHECK_INVALID("elements", bg_graph_builder_input(builder, NULL, 2, huge, NULL));
  preprocessing.count = -1;
  CHECK_INVALID("count", bg_graph_builder_input(builder, NULL, 3, dims, &preprocessing));
  CHECK_OK(bg_graph_builder_input(builder, NULL, 3, dims, NULL));
  CHECK_INVALID("channels", bg_graph_builder_node(builder, "fc", "linear", input, 1, &two, 1));
  CHECK_INVALID("count", bg_graph_builder_node(builder, "fc", "linear", input, 1, &negative, 1));
  CHECK_INVALID("chanels", bg_graph_builder_node(builder, "fc", "linear", input, 1, &unknown, 1));
  CHECK_INVALID("count", bg_graph_builder_node(builder, "fc", "linear", input, -1, &one, 1));
  CHECK_INVALID("count", bg_graph_builder_node(builder, "fc", "linear", input, 1, &one, -1));
  CHECK_OK(bg_graph_builder_node(builder, "fc", "conv2d", input, 1, &one, 1));
  CHECK_INVALID("kernel", bg_graph_builder_build(builder, &no_graph));
  CHECK_INVALID("count", bg_graph_builder_weight_bits(builder, bits, -1));
  bg_graph_builder_free(builder);
  for (int i = 0; i < 5; ++i) { /* said when the whole is checked */
    CHECK_OK(bg_graph_builder_create("n", &builder));
    preprocessing.count = 1;
    preprocessing.mean = i == 0 ? bad : NULL;
    preprocessing.std = i == 1 ? zero : NULL;
    CHECK_OK(bg_graph_builder_input(builder, NULL, 1, dims, &preprocessing));
    CHECK_OK(bg_graph_builder_node(builder, "fc", "linear", i == 2 ? nothing : input, 1, &one, 1));
    if (i == 3) CHECK_OK(bg_graph_builder_weight_bits(builder, bits, 2));
    if (i == 4) CHECK_OK(bg_graph_builder_output_bits(builder, none_at_all, 2));
    if (!CHECK_INVALID("", bg_graph_builder_build(builder, &no_graph))) check_fail(__FILE__, __LINE__, "change %d", i);
    bg_graph_builder_free(builder);
  }
  CHECK(no_graph == NULL);
}

static void arrays_of_images(void) {
  static const int64_t kSizes[][4] = {{0, 1, 1, 1},         {-1, 1, 1, 1},           {1, 0, 1, 1},
                                      {1, 1, -1, 1},        {1, 1, 1, INT64_MIN},    {INT64_MAX, 2, 1, 1},
                                      {2, INT64_MAX, 1, 1}, {1, 1 << 21, 1 << 21, 1}};
  const uint8_t pixels[2] = {0, 1};
  const float bad[2][2] = {{0, NAN}, {INFINITY, 0}};
  const int32_t good[2] = {0, 1}, outside[2] = {0, 4}, negative[2] = {-1, 0}, most[2] = {0, INT32_MAX};
  for (size_t i = 0; i < sizeof kSizes / sizeof *kSizes; ++i) {
    const int64_t* n = kSizes[i];
    CHECK_INVALID("bg_dataset_create", bg_dataset_create(n[0], n[1], n[2], n[3], BG_UINT8, pixels, good, 0, &no_data));
  }
  CHECK_INVALID("finite", bg_dataset_create(2, 1, 1, 1, BG_FLOAT32, bad[0], good, 2, &no_data));
  CHECK_INVALID("finite", bg_dataset_create(2, 1, 1, 1, BG_FLOAT32, bad[1], good, 2, &no_data));
  CHECK_INVALID("BG_UINT8", bg_dataset_create(2, 1, 1, 1, BG_INT8, pixels, good, 2, &no_data));
  CHECK_INVALID("BG_UINT8", bg_dataset_create(2, 1, 1, 1, (bg_dtype)77, pixels, good, 2, &no_data));
  CHECK_INVALID("[0, 4)", bg_dataset_create(2, 1, 1, 1, BG_UINT8, pixels, outside, 4, &no_data));
  CHECK_INVALID("-1", bg_dataset_create(2, 1, 1, 1, BG_UINT8, pixels, negative, 4, &no_data));
  CHECK_INVALID("2147483647", bg_dataset_create(2, 1, 1, 1, BG_UINT8, pixels, most, 0, &no_data));
  CHECK_INVALID("classes", bg_dataset_create(2, 1, 1, 1, BG_UINT8, pixels, good, -2, &no_data));
  CHECK(no_data == NULL);
}

static void images_that_do_not_fit(void) {
  const int64_t small[4] = {1, 4, 4, 1}, none[4] = {0, TINY_SIZE, TINY_SIZE, 1};
  int32_t classes[4] = {-3, -3, -3, -3};
  const int32_t label = 9;
  const int64_t one[1] = {1};
  bg_context* context = tiny_context();
  bg_model* model = tiny_stepped_model();
  bg_dataset* good = tiny_dataset(32, 1);
  bg_trainer *trainer = NULL, *stepper = NULL;
  bg_tensor *wrong = NULL, *integers = NULL, *empty = NULL, *images = NULL, *labels = NULL, *outside = NULL;
  bg_tensor* logits = NULL;
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  static const double kFactors[] = {NAN, INFINITY, -1};
  const uint8_t pixels[16] = {0};
  const int32_t zero[1] = {0};
  tiny_batch(context, 1, 1, &images, &labels);
  CHECK_OK(bg_tensor_create(context, BG_UINT8, 4, small, NULL, &wrong));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 4, none, NULL, &integers));
  CHECK_OK(bg_tensor_create(context, BG_UINT8, 4, none, NULL, &empty));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, one, &label, &outside));
  CHECK_INVALID("[1, 4, 4, 1]", bg_model_predict(model, wrong, classes));
  CHECK_INVALID("int32", bg_model_logits(model, integers, &logits));
  CHECK_INVALID("float32", bg_model_forward(model, context, images, 0, 1, &logits, NULL)); /* not preprocessed */
  CHECK(classes[0] == -3 && logits == NULL);
  CHECK_OK(bg_model_predict(model, empty, classes)); /* no images have no classes */
  CHECK(classes[0] == -3);
  CHECK_OK(bg_trainer_create_stepper(model, &stepper));
  CHECK_INVALID("[0, 4)", bg_trainer_step(stepper, images, outside, 1, NULL));
  CHECK_INVALID("[1, 4, 4, 1]", bg_trainer_step(stepper, wrong, labels, 1, NULL));
  CHECK_INVALID("labels", bg_trainer_step(stepper, images, images, 1, NULL));
  CHECK_INVALID("", bg_trainer_step(stepper, empty, labels, 1, NULL));
  for (int i = 0; i < 3; ++i) {
    CHECK_INVALID("learning rate factor", bg_trainer_step(stepper, images, labels, kFactors[i], NULL));
  }
  CHECK_OK(bg_trainer_step(stepper, images, labels, 1, NULL));
  CHECK_OK(bg_dataset_create(1, 4, 4, 1, BG_UINT8, pixels, zero, 1, &no_data));
  CHECK_INVALID("[4, 4, 1]", bg_trainer_create(model, good, no_data, NULL, &trainer));
  CHECK_INVALID("[4, 4, 1]", bg_model_evaluate(model, no_data, NULL, NULL, &evaluation));
  CHECK(trainer == NULL && evaluation.images == 0);
  bg_dataset_free(no_data);
  no_data = NULL;
  bg_tensor* all[] = {wrong, integers, empty, images, labels, outside};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
  bg_trainer_free(stepper);
  bg_dataset_free(good);
  bg_model_free(model);
  bg_context_free(context);
}

/* A checkpoint cut at every place of a few hundred, and with bytes of its header changed. */
static void damaged_checkpoints(void) {
  const char *path = check_path("good.safetensors"), *damaged = check_path("damaged.safetensors");
  bg_model* model = tiny_stepped_model();
  size_t size = 0, refused = 0, tries = 0;
  char* bytes = NULL;
  CHECK_OK(bg_model_save(model, path));
  bg_model_free(model);
  bytes = check_read_file(path, &size);
  for (size_t length = 0; length < size; length += 1 + size / 200) {
    check_write_file(damaged, bytes, length);
    CHECK_STATUS(BG_STATUS_DATA_LOSS, "damaged", bg_model_create_from_file(damaged, "cpu", &no_model));
  }
  for (size_t at = 0; at < size; at += 1 + at / 40, ++tries) {
    const char kept = bytes[at];
    bytes[at] = (char)(kept ^ (at % 2 ? 0x80 : 0x11));
    check_write_file(damaged, bytes, size);
    refused += bg_model_create_from_file(damaged, "cpu", &no_model) != BG_STATUS_OK;
    bg_model_free(no_model); /* a weight may be another without anybody's noticing */
    no_model = NULL;
    bytes[at] = kept;
  }
  CHECK(refused > tries / 4);
  memset(bytes, 0xff, 8); /* a header longer than any file */
  check_write_file(damaged, bytes, size);
  CHECK_STATUS(BG_STATUS_DATA_LOSS, "damaged", bg_model_create_from_file(damaged, "cpu", &no_model));
  free(bytes);
  CHECK(no_model == NULL);
}

static void places_that_cannot_be_written(void) {
  const char* here = check_path("folder");
  bg_model* model = tiny_stepped_model();
  bg_dataset* data = tiny_dataset(32, 1);
  bg_trainer* trainer = NULL;
  const bg_trainer_options options = {sizeof options, BG_EXISTING_REFUSE, check_path("no/such/run.safetensors")};
  const char* nowhere = check_path("no/such/model");
  CHECK(mkdir(here, 0700) == 0);
  CHECK(bg_model_save(model, nowhere) != BG_STATUS_OK && strstr(bg_last_error_message(), "no/such") != NULL);
  CHECK(bg_model_save(model, here) != BG_STATUS_OK);
  CHECK(bg_model_save(model, "") != BG_STATUS_OK);
  CHECK(bg_model_create_from_file(here, "cpu", &no_model) != BG_STATUS_OK && no_model == NULL);
  CHECK(bg_trainer_create(model, data, data, &options, &trainer) != BG_STATUS_OK && trainer == NULL);
  CHECK_OK(bg_model_freeze(model, NULL));
  CHECK(bg_model_export_onnx(model, nowhere, NULL) != BG_STATUS_OK);
  bg_dataset_free(data);
  bg_model_free(model);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(texts_of_graphs);
  RUN(texts_of_configurations);
  RUN(builders);
  RUN(arrays_of_images);
  RUN(images_that_do_not_fit);
  RUN(damaged_checkpoints);
  RUN(places_that_cannot_be_written);
  return check_finish();
}
