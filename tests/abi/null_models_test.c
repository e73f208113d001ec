/* null_test.c, its second half: graphs, configurations, data sets, models, trainers. */
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

/* What functions would write to, and how it looks as long as none has. */
static struct {
  bg_tensor *tensor, *penalty;
  bg_graph* graph;
  bg_graph_builder* builder;
  bg_config* config;
  bg_dataset* dataset;
  bg_bit_report* bits;
  bg_freeze_report* frozen;
  bg_requantize_report* requantized;
  bg_model* model;
  bg_trainer* trainer;
  const char* text;
  int32_t number, classes[8];
  int64_t size, dims[3];
} out, before;

#define NULL_REFUSED(function, argument, ...)                                                \
  do {                                                                                       \
    CHECK_INVALID(#function ": expected " #argument ", got NULL", function(__VA_ARGS__));    \
    if (memcmp(&out, &before, sizeof out) != 0)                                              \
      check_fail(__FILE__, __LINE__, #function " without " #argument ": an output changed"); \
    out = before;                                                                            \
  } while (0)

#define NULL_ALLOWED(function, argument, ...) CHECK_OK(function(__VA_ARGS__))

/* NULL means Fashion-MNIST, which may not be installed, and does not fit the tiny network. */
#define NULL_IS_DEFAULT(function, argument, ...)                                                            \
  do {                                                                                                      \
    const bg_status status = function(__VA_ARGS__);                                                         \
    CHECK(status == BG_STATUS_OK || status == BG_STATUS_NOT_FOUND || status == BG_STATUS_INVALID_ARGUMENT); \
    CHECK(status == BG_STATUS_OK || strstr(bg_last_error_message(), "got NULL") == NULL);                   \
  } while (0)

#define NULL_ALONE(function, argument, ...) CHECK_INVALID("both train and test", function(__VA_ARGS__))

static const char kText[] =
    "name: 'n' input { shape: [4] } node { name: 'fc' kind: 'linear' input: 'input' attributes { channels: 2 } }";

static void begin(void) {
  memset(&out, 0x5a, sizeof out);
  before = out;
}

static void graphs(void) {
  bg_graph* graph = NULL;
  begin();
  NULL_REFUSED(bg_zoo_count, count, NULL);
  NULL_REFUSED(bg_zoo_name, name, 0, NULL);
  NULL_REFUSED(bg_graph_create_from_zoo, name, NULL, &out.graph);
  NULL_REFUSED(bg_graph_create_from_zoo, out, "lenet5", NULL);
  NULL_REFUSED(bg_graph_create_from_text, text, NULL, "here", &out.graph);
  NULL_REFUSED(bg_graph_create_from_text, out, kText, "here", NULL);
  NULL_ALLOWED(bg_graph_create_from_text, where, kText, NULL, &graph);
  NULL_REFUSED(bg_graph_text, graph, NULL, &out.text);
  NULL_REFUSED(bg_graph_text, text, graph, NULL);
  NULL_REFUSED(bg_config_create_from_graph, graph, NULL, &out.config);
  NULL_REFUSED(bg_config_create_from_graph, out, graph, NULL);
  bg_graph_free(graph);
}

static void builders(void) {
  const int64_t dims[1] = {4}, two[1] = {2};
  const double ones[1] = {1};
  const char* inputs[1] = {"x"};
  const int32_t bits[1] = {4};
  const bg_preprocessing preprocessing = {sizeof preprocessing, 0, 1, ones, NULL};
  bg_attribute channels = {"channels", two, 1};
  bg_graph_builder* builder = NULL;
  bg_graph* graph = NULL;
  begin();
  NULL_REFUSED(bg_graph_builder_create, name, NULL, &out.builder);
  NULL_REFUSED(bg_graph_builder_create, out, "n", NULL);
  CHECK_OK(bg_graph_builder_create("n", &builder));
  NULL_REFUSED(bg_graph_builder_input, builder, NULL, "x", 1, dims, &preprocessing);
  NULL_REFUSED(bg_graph_builder_input, dims, builder, "x", 1, NULL, &preprocessing);
  NULL_ALLOWED(bg_graph_builder_input, name, builder, NULL, 1, dims, &preprocessing);
  NULL_ALLOWED(bg_graph_builder_input, preprocessing, builder, "x", 1, dims, NULL);
  NULL_REFUSED(bg_graph_builder_node, builder, NULL, "fc", "linear", inputs, 1, &channels, 1);
  NULL_REFUSED(bg_graph_builder_node, name, builder, NULL, "linear", inputs, 1, &channels, 1);
  NULL_REFUSED(bg_graph_builder_node, kind, builder, "fc", NULL, inputs, 1, &channels, 1);
  NULL_REFUSED(bg_graph_builder_node, inputs, builder, "fc", "linear", NULL, 1, &channels, 1);
  NULL_REFUSED(bg_graph_builder_node, attributes, builder, "fc", "linear", inputs, 1, NULL, 1);
  inputs[0] = NULL;
  CHECK_INVALID("an input's name", bg_graph_builder_node(builder, "fc", "linear", inputs, 1, &channels, 1));
  inputs[0] = "x";
  channels.name = NULL;
  CHECK_INVALID("an attribute's name", bg_graph_builder_node(builder, "fc", "linear", inputs, 1, &channels, 1));
  channels.name = "channels";
  channels.values = NULL;
  CHECK_INVALID("an attribute's values", bg_graph_builder_node(builder, "fc", "linear", inputs, 1, &channels, 1));
  channels.values = two;
  CHECK_OK(bg_graph_builder_node(builder, "fc", "linear", inputs, 1, &channels, 1)); /* nothing refused is in it */
  NULL_REFUSED(bg_graph_builder_weight_bits, builder, NULL, bits, 1);
  NULL_REFUSED(bg_graph_builder_weight_bits, bits, builder, NULL, 1);
  NULL_REFUSED(bg_graph_builder_output_bits, builder, NULL, bits, 1);
  NULL_REFUSED(bg_graph_builder_output_bits, bits, builder, NULL, 1);
  CHECK_OK(bg_graph_builder_weight_bits(builder, NULL, 0));
  NULL_REFUSED(bg_graph_builder_build, builder, NULL, &out.graph);
  NULL_REFUSED(bg_graph_builder_build, out, builder, NULL);
  CHECK_OK(bg_graph_builder_build(builder, &graph));
  bg_graph_free(graph);
  bg_graph_builder_free(builder);
}

static void configurations(void) {
  bg_config* config = NULL;
  begin();
  NULL_REFUSED(bg_recipe_count, count, NULL);
  NULL_REFUSED(bg_recipe_name, name, 0, NULL);
  NULL_REFUSED(bg_config_create_from_recipe, name_or_path, NULL, &out.config);
  NULL_REFUSED(bg_config_create_from_recipe, out, "lenet5_float", NULL);
  NULL_REFUSED(bg_config_create_from_text, text, NULL, "here", &out.config);
  NULL_REFUSED(bg_config_create_from_text, out, kTinyRecipe, "here", NULL);
  NULL_ALLOWED(bg_config_create_from_text, where, kTinyRecipe, NULL, &config);
  NULL_REFUSED(bg_config_set, config, NULL, "training.epochs", "2");
  NULL_REFUSED(bg_config_set, path, config, NULL, "2");
  NULL_REFUSED(bg_config_set, value, config, "training.epochs", NULL);
  NULL_REFUSED(bg_config_text, config, NULL, &out.text);
  NULL_REFUSED(bg_config_text, text, config, NULL);
  bg_config_free(config);
}

static void datasets(void) {
  const uint8_t pixel[1] = {1};
  const int32_t label[1] = {0};
  bg_dataset* dataset = tiny_dataset(2, 1);
  begin();
  NULL_IS_DEFAULT(bg_dataset_create_from_folder, folder, NULL, BG_SPLIT_TEST, 10, &out.dataset);
  if (out.dataset != before.dataset) bg_dataset_free(out.dataset);
  out = before;
  NULL_REFUSED(bg_dataset_create_from_folder, out, NULL, BG_SPLIT_TEST, 10, NULL);
  NULL_REFUSED(bg_dataset_create, images, 1, 1, 1, 1, BG_UINT8, NULL, label, 1, &out.dataset);
  NULL_REFUSED(bg_dataset_create, labels, 1, 1, 1, 1, BG_UINT8, pixel, NULL, 1, &out.dataset);
  NULL_REFUSED(bg_dataset_create, out, 1, 1, 1, 1, BG_UINT8, pixel, label, 1, NULL);
  NULL_REFUSED(bg_dataset_size, dataset, NULL, &out.size);
  NULL_REFUSED(bg_dataset_size, size, dataset, NULL);
  NULL_REFUSED(bg_dataset_image_shape, dataset, NULL, out.dims);
  NULL_REFUSED(bg_dataset_image_shape, dims, dataset, NULL);
  NULL_REFUSED(bg_dataset_classes, dataset, NULL, &out.number);
  NULL_REFUSED(bg_dataset_classes, classes, dataset, NULL);
  bg_dataset_free(dataset);
}

static void models(void) {
  bg_context* context = tiny_context();
  bg_config* config = tiny_config();
  bg_dataset* dataset = tiny_dataset(8, 1);
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  bg_model *model = NULL, *copy = NULL;
  bg_tensor *images = NULL, *labels = NULL, *floats = NULL, *logits = NULL;
  const int64_t dims[4] = {1, TINY_SIZE, TINY_SIZE, 1};
  begin();
  tiny_batch(context, 1, 1, &images, &labels);
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, NULL, &floats));
  NULL_REFUSED(bg_model_create, config, NULL, "cpu", &out.model);
  NULL_REFUSED(bg_model_create, out, config, "cpu", NULL);
  NULL_ALLOWED(bg_model_create, device, config, NULL, &model);
  bg_model_free(model);
  model = tiny_stepped_model();
  bg_config_free(config);
  CHECK_OK(bg_model_config(model, &config));
  NULL_REFUSED(bg_model_save, model, NULL, "x");
  NULL_REFUSED(bg_model_save, path, model, NULL);
  CHECK_OK(bg_model_save(model, check_path("null.safetensors")));
  NULL_REFUSED(bg_model_create_from_file, path, NULL, "cpu", &out.model);
  NULL_REFUSED(bg_model_create_from_file, out, check_path("null.safetensors"), "cpu", NULL);
  NULL_ALLOWED(bg_model_create_from_file, device, check_path("null.safetensors"), NULL, &copy);
  NULL_ALLOWED(bg_model_load_float_weights, table, model, check_path("null.safetensors"), NULL);
  bg_model_free(copy);
  NULL_REFUSED(bg_model_create_copy, model, NULL, &out.model);
  NULL_REFUSED(bg_model_create_copy, out, model, NULL);
  NULL_REFUSED(bg_model_set_compute, model, NULL, "float32");
  NULL_REFUSED(bg_model_set_compute, compute, model, NULL);
  NULL_REFUSED(bg_model_compute, model, NULL, &out.text);
  NULL_REFUSED(bg_model_compute, compute, model, NULL);
  NULL_REFUSED(bg_model_config, model, NULL, &out.config);
  NULL_REFUSED(bg_model_config, out, model, NULL);
  NULL_REFUSED(bg_model_set_config, model, NULL, config);
  NULL_REFUSED(bg_model_set_config, config, model, NULL);
  NULL_REFUSED(bg_model_graph, model, NULL, &out.graph);
  NULL_REFUSED(bg_model_graph, out, model, NULL);
  NULL_REFUSED(bg_model_is_frozen, model, NULL, &out.number);
  NULL_REFUSED(bg_model_is_frozen, frozen, model, NULL);
  NULL_REFUSED(bg_model_bits, model, NULL, &out.bits);
  NULL_REFUSED(bg_model_bits, out, model, NULL);
  NULL_REFUSED(bg_model_evaluate, model, NULL, dataset, NULL, NULL, &evaluation);
  NULL_REFUSED(bg_model_evaluate, evaluation, model, dataset, NULL, NULL, NULL);
  NULL_ALLOWED(bg_model_evaluate, callback, model, dataset, NULL, &out, &evaluation);
  NULL_ALLOWED(bg_model_evaluate, user_data, model, dataset, NULL, NULL, &evaluation);
  NULL_IS_DEFAULT(bg_model_evaluate, dataset, model, NULL, NULL, NULL, &evaluation);
  NULL_REFUSED(bg_model_predict, model, NULL, images, out.classes);
  NULL_REFUSED(bg_model_predict, images, model, NULL, out.classes);
  NULL_REFUSED(bg_model_predict, classes, model, images, NULL);
  NULL_REFUSED(bg_model_logits, model, NULL, images, &out.tensor);
  NULL_REFUSED(bg_model_logits, images, model, NULL, &out.tensor);
  NULL_REFUSED(bg_model_logits, logits, model, images, NULL);
  NULL_REFUSED(bg_model_forward, model, NULL, context, floats, 1, 1, &out.tensor, &out.penalty);
  NULL_REFUSED(bg_model_forward, context, model, NULL, floats, 1, 1, &out.tensor, &out.penalty);
  NULL_REFUSED(bg_model_forward, images, model, context, NULL, 1, 1, &out.tensor, &out.penalty);
  NULL_REFUSED(bg_model_forward, logits, model, context, floats, 1, 1, NULL, &out.penalty);
  NULL_REFUSED(bg_model_forward, penalty, model, context, floats, 1, 1, &out.tensor, NULL);
  NULL_ALLOWED(bg_model_forward, penalty, model, context, floats, 0, 1, &logits, NULL);
  bg_tensor_free(logits);
  NULL_REFUSED(bg_model_parameter_count, model, NULL, &out.number);
  NULL_REFUSED(bg_model_parameter_count, count, model, NULL);
  NULL_REFUSED(bg_model_parameter, model, NULL, 0, &out.text, &out.tensor);
  NULL_REFUSED(bg_model_parameter, name, model, 0, NULL, &out.tensor);
  NULL_REFUSED(bg_model_parameter, out, model, 0, &out.text, NULL);
  NULL_REFUSED(bg_model_requantize, model, NULL, &out.requantized);
  NULL_ALLOWED(bg_model_requantize, report, model, NULL);
  NULL_REFUSED(bg_model_calibrate, model, NULL, images);
  NULL_REFUSED(bg_model_calibrate, images, model, NULL);
  NULL_REFUSED(bg_model_freeze, model, NULL, &out.frozen);
  NULL_ALLOWED(bg_model_freeze, report, model, NULL);
  NULL_REFUSED(bg_model_load_float_weights, model, NULL, "x", &out.text);
  NULL_REFUSED(bg_model_load_float_weights, path, model, NULL, &out.text);
  NULL_REFUSED(bg_model_write_float_weights, model, NULL, "x");
  NULL_REFUSED(bg_model_write_float_weights, path, model, NULL);
  NULL_REFUSED(bg_model_export_onnx, model, NULL, "x", &out.text);
  NULL_REFUSED(bg_model_export_onnx, path, model, NULL, &out.text);
  NULL_ALLOWED(bg_model_export_onnx, warnings, model, check_path("null.onnx"), NULL);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_tensor_free(floats);
  bg_model_free(model);
  bg_dataset_free(dataset);
  bg_config_free(config);
  bg_context_free(context);
}

static void reports(void) {
  bg_model* model = tiny_stepped_model();
  bg_bit_report* bits = NULL;
  bg_freeze_report* frozen = NULL;
  bg_bit_row row = {.struct_size = sizeof row};
  bg_bit_totals totals = {.struct_size = sizeof totals};
  bg_frozen_site site = {.struct_size = sizeof site};
  begin();
  CHECK_OK(bg_model_bits(model, &bits));
  CHECK_OK(bg_model_freeze(model, &frozen));
  NULL_REFUSED(bg_bit_report_totals, report, NULL, &totals);
  NULL_REFUSED(bg_bit_report_totals, totals, bits, NULL);
  NULL_REFUSED(bg_bit_report_row, report, NULL, 0, &row);
  NULL_REFUSED(bg_bit_report_row, row, bits, 0, NULL);
  NULL_REFUSED(bg_bit_report_text, report, NULL, &out.text);
  NULL_REFUSED(bg_bit_report_text, text, bits, NULL);
  NULL_REFUSED(bg_bit_report_json, report, NULL, &out.text);
  NULL_REFUSED(bg_bit_report_json, json, bits, NULL);
  NULL_REFUSED(bg_freeze_report_site_count, report, NULL, &out.number);
  NULL_REFUSED(bg_freeze_report_site_count, count, frozen, NULL);
  NULL_REFUSED(bg_freeze_report_site, report, NULL, 0, &site);
  NULL_REFUSED(bg_freeze_report_site, site, frozen, 0, NULL);
  NULL_REFUSED(bg_freeze_report_note_count, report, NULL, &out.number);
  NULL_REFUSED(bg_freeze_report_note_count, count, frozen, NULL);
  NULL_REFUSED(bg_freeze_report_note, report, NULL, 0, &out.text);
  NULL_REFUSED(bg_freeze_report_note, note, frozen, 0, NULL);
  CHECK(row.macs == 0 && totals.rows == 0 && site.bits == 0);
  bg_bit_report_free(bits);
  bg_freeze_report_free(frozen);
  bg_model_free(model);
}

static void requantize_reports(void) {
  bg_config* config = tiny_bsq_config();
  bg_model* model = NULL;
  bg_requantize_report* report = NULL;
  bg_requantized_tensor tensor = {.struct_size = sizeof tensor};
  begin();
  CHECK_OK(bg_model_create(config, NULL, &model));
  CHECK_OK(bg_model_requantize(model, &report));
  NULL_REFUSED(bg_requantize_report_tensor_count, report, NULL, &out.number);
  NULL_REFUSED(bg_requantize_report_tensor_count, count, report, NULL);
  NULL_REFUSED(bg_requantize_report_tensor, report, NULL, 0, &tensor);
  NULL_REFUSED(bg_requantize_report_tensor, tensor, report, 0, NULL);
  NULL_REFUSED(bg_requantize_report_warning_count, report, NULL, &out.number);
  NULL_REFUSED(bg_requantize_report_warning_count, count, report, NULL);
  NULL_REFUSED(bg_requantize_report_warning, report, NULL, 0, &out.text);
  NULL_REFUSED(bg_requantize_report_warning, warning, report, 0, NULL);
  CHECK(tensor.bits_before == 0 && tensor.name == NULL);
  bg_requantize_report_free(report);
  bg_model_free(model);
  bg_config_free(config);
}

static void trainers(void) {
  bg_context* context = tiny_context();
  bg_model *model = tiny_model(), *frozen = tiny_stepped_model();
  bg_dataset* data = tiny_dataset(32, 1);
  bg_trainer *trainer = NULL, *tuner = NULL, *stepper = NULL;
  bg_train_result result = {.struct_size = sizeof result};
  bg_callbacks callbacks = {.struct_size = sizeof callbacks};
  bg_tensor *images = NULL, *labels = NULL;
  begin();
  CHECK_OK(bg_model_freeze(frozen, NULL));
  tiny_batch(context, 4, 1, &images, &labels);
  NULL_REFUSED(bg_trainer_create, model, NULL, data, data, NULL, &out.trainer);
  NULL_REFUSED(bg_trainer_create, out, model, data, data, NULL, NULL);
  NULL_ALLOWED(bg_trainer_create, options, model, data, data, NULL, &trainer);
  NULL_ALONE(bg_trainer_create, train, model, NULL, data, NULL, &out.trainer);
  NULL_ALONE(bg_trainer_create, test, model, data, NULL, NULL, &out.trainer);
  NULL_REFUSED(bg_trainer_create_fine_tuner, model, NULL, data, data, NULL, &out.trainer);
  NULL_REFUSED(bg_trainer_create_fine_tuner, out, frozen, data, data, NULL, NULL);
  NULL_ALLOWED(bg_trainer_create_fine_tuner, options, frozen, data, data, NULL, &tuner);
  NULL_ALONE(bg_trainer_create_fine_tuner, train, frozen, NULL, data, NULL, &out.trainer);
  NULL_ALONE(bg_trainer_create_fine_tuner, test, frozen, data, NULL, NULL, &out.trainer);
  NULL_REFUSED(bg_trainer_create_stepper, model, NULL, &out.trainer);
  NULL_REFUSED(bg_trainer_create_stepper, out, model, NULL);
  CHECK_OK(bg_trainer_create_stepper(model, &stepper));
  NULL_REFUSED(bg_trainer_step, trainer, NULL, images, labels, 1, NULL);
  NULL_REFUSED(bg_trainer_step, images, stepper, NULL, labels, 1, NULL);
  NULL_REFUSED(bg_trainer_step, labels, stepper, images, NULL, 1, NULL);
  NULL_ALLOWED(bg_trainer_step, result, stepper, images, labels, 1, NULL);
  NULL_REFUSED(bg_trainer_fit, trainer, NULL, &callbacks, &result);
  NULL_ALLOWED(bg_trainer_fit, callbacks, tuner, NULL, NULL);
  NULL_ALLOWED(bg_trainer_fit, result, tuner, &callbacks, NULL);
  CHECK_OK(bg_trainer_fit(tuner, NULL, &result));
  CHECK(result.epochs == 0 && result.frozen == 1); /* nothing was left */
  CHECK(memcmp(&out, &before, sizeof out) == 0);
  bg_trainer_free(stepper);
  bg_trainer_free(tuner);
  bg_trainer_free(trainer);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_dataset_free(data);
  bg_model_free(frozen);
  bg_model_free(model);
  bg_context_free(context);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(graphs);
  RUN(builders);
  RUN(configurations);
  RUN(datasets);
  RUN(models);
  RUN(reports);
  RUN(requantize_reports);
  RUN(trainers);
  return check_finish();
}
