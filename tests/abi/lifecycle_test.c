/* Every handle is made, used, made to fail, and freed; what a handle needs may be freed before it. */
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static void library(void) {
  int32_t threads = 0, before = 0;
  const char *json = NULL;
  CHECK(strcmp(bg_last_error_message(), "") == 0); /* nothing has failed yet */
  CHECK(bg_abi_version() == BG_ABI_VERSION);
  CHECK_OK(bg_check_abi(BG_ABI_VERSION));
  CHECK_STATUS(BG_STATUS_ABI_MISMATCH, "got one for 1", bg_check_abi(BG_ABI_VERSION + 1));
  CHECK_STATUS(BG_STATUS_ABI_MISMATCH, "4294967295", bg_check_abi(UINT32_MAX));
  CHECK(strchr(bg_version(), '.') != NULL);
  CHECK(strcmp(bg_status_name(BG_STATUS_FORKED), "BG_STATUS_FORKED") == 0);
  CHECK(strcmp(bg_status_name((bg_status)13), "BG_STATUS_UNKNOWN") == 0);
  CHECK(strcmp(bg_status_name((bg_status)-1), "BG_STATUS_UNKNOWN") == 0);
  CHECK_OK(bg_get_threads(&before));
  CHECK_OK(bg_set_threads(3));
  CHECK_OK(bg_get_threads(&threads));
  CHECK(threads == 3);
  CHECK_INVALID("0", bg_set_threads(0));
  CHECK_INVALID("1025", bg_set_threads(1025));
  CHECK_OK(bg_set_threads(before));
  CHECK_OK(bg_describe(&json));
  CHECK(json[0] == '{' && strstr(json, bg_version()) != NULL);
}

static void status_names(void) {
  for (int status = BG_STATUS_OK; status <= BG_STATUS_FORKED; ++status) {
    CHECK(strncmp(bg_status_name((bg_status)status), "BG_STATUS_", 10) == 0);
    CHECK(strcmp(bg_status_name((bg_status)status), "BG_STATUS_UNKNOWN") != 0);
  }
}

static void contexts(void) {
  bg_context *context = NULL, *other = NULL;
  const char *device = NULL, *compute = NULL;
  CHECK_OK(bg_context_create(NULL, &context));
  CHECK_OK(bg_context_device(context, &device));
  CHECK(strcmp(device, "cpu") == 0);
  CHECK_OK(bg_context_device_name(context, &device));
  CHECK(strlen(device) > 0);
  CHECK_OK(bg_context_compute(context, &compute));
  CHECK(strcmp(compute, "float32") == 0);
  CHECK_OK(bg_context_set_compute(context, "float32"));
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cpu", bg_context_set_compute(context, "tf32"));
  CHECK_INVALID("float32, tf32 or bfloat16", bg_context_set_compute(context, "int3"));
  CHECK_OK(bg_context_set_recording(context, 0));
  CHECK_OK(bg_context_set_recording(context, 1));
  CHECK_INVALID("toaster", bg_context_create("toaster", &other));
  CHECK_INVALID("cuda:-1", bg_context_create("cuda:-1", &other));
  CHECK_INVALID("", bg_context_create("", &other));
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cuda:", bg_context_create("cuda:999", &other));
  CHECK(other == NULL);
  bg_context_free(context);
}

static void tensors(void) {
  const int64_t dims[2] = {2, 3};
  const float values[6] = {1, 2, 3, 4, 5, 6}, others[6] = {6, 5, 4, 3, 2, 1};
  float got[6];
  int64_t shape[6] = {-1, -1, -1, -1, -1, -1}, size = 0;
  int32_t rank = 0, requires_grad = -1;
  bg_dtype dtype = BG_INT8;
  const char *device = NULL;
  void *data = NULL;
  bg_context *context = tiny_context();
  bg_tensor *tensor = NULL, *alias = NULL, *gradient = NULL, *scalar = NULL;
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 2, dims, values, &tensor));
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 0, NULL, values, &scalar));
  bg_context_free(context); /* tensors do without */
  CHECK_OK(bg_tensor_dtype(tensor, &dtype));
  CHECK_OK(bg_tensor_rank(tensor, &rank));
  CHECK_OK(bg_tensor_shape(tensor, 6, shape));
  CHECK_OK(bg_tensor_size(tensor, &size));
  CHECK_OK(bg_tensor_device(tensor, &device));
  CHECK(dtype == BG_FLOAT32 && rank == 2 && shape[0] == 2 && shape[1] == 3 && shape[2] == -1 && size == 6);
  CHECK(strcmp(device, "cpu") == 0);
  CHECK_OK(bg_tensor_copy_to(tensor, got, sizeof got));
  CHECK(memcmp(got, values, sizeof got) == 0);
  CHECK_OK(bg_tensor_create_alias(tensor, &alias));
  CHECK_OK(bg_tensor_copy_from(tensor, others, sizeof others));
  bg_tensor_free(tensor);
  CHECK_OK(bg_tensor_data(alias, &data));
  CHECK(memcmp(data, others, sizeof others) == 0);
  CHECK_OK(bg_tensor_set_requires_grad(alias, 1));
  CHECK_OK(bg_tensor_requires_grad(alias, &requires_grad));
  CHECK(requires_grad == 1);
  CHECK_OK(bg_tensor_gradient(alias, &gradient));
  CHECK(gradient == NULL);
  CHECK_OK(bg_tensor_clear_gradient(alias));
  bg_tensor_free(alias);
  CHECK_OK(bg_tensor_shape(scalar, 0, NULL));
  CHECK_OK(bg_tensor_size(scalar, &size));
  CHECK(size == 1);
  bg_tensor_free(scalar);
}

static void graphs(void) {
  const int64_t dims[3] = {8, 8, 2}, channels[1] = {4}, kernel[2] = {3, 1};
  const double means[2] = {0.25, 0.5}, deviations[2] = {0.5, 1};
  const int32_t bits[3] = {0, 4, 8};
  const bg_preprocessing preprocessing = {sizeof preprocessing, 2, 0.5, means, deviations};
  const bg_attribute convolution[2] = {{"channels", channels, 1}, {"kernel", kernel, 2}};
  const char *input[1] = {"input"}, *conv[1] = {"conv"}, *relu[1] = {"relu"}, *flat[1] = {"flat"};
  const char *name = NULL, *text = NULL;
  int32_t count = 0;
  bg_graph_builder *builder = NULL;
  bg_graph *graph = NULL, *again = NULL, *zoo = NULL, *none = NULL;
  char kept[4096];
  CHECK_OK(bg_zoo_count(&count));
  CHECK(count > 0);
  CHECK_OK(bg_zoo_name(0, &name));
  CHECK_OK(bg_graph_create_from_zoo(name, &zoo));
  bg_graph_free(zoo);
  CHECK_INVALID("index", bg_zoo_name(count, &name));
  CHECK_INVALID("index", bg_zoo_name(-1, &name));
  CHECK_STATUS(BG_STATUS_NOT_FOUND, "lenet", bg_graph_create_from_zoo("lenet", &none));

  CHECK_OK(bg_graph_builder_create("mine", &builder));
  CHECK_INVALID("", bg_graph_builder_build(builder, &none)); /* there is nothing yet */
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "a node", bg_graph_builder_weight_bits(builder, bits, 3));
  CHECK_OK(bg_graph_builder_input(builder, NULL, 3, dims, &preprocessing));
  CHECK_OK(bg_graph_builder_node(builder, "conv", "conv2d", input, 1, convolution, 2));
  CHECK_OK(bg_graph_builder_weight_bits(builder, bits, 3));
  CHECK_OK(bg_graph_builder_node(builder, "relu", "relu", conv, 1, NULL, 0));
  CHECK_OK(bg_graph_builder_output_bits(builder, bits + 1, 2));
  CHECK_OK(bg_graph_builder_node(builder, "flat", "flatten", relu, 1, NULL, 0));
  CHECK_OK(bg_graph_builder_node(builder, "fc", "linear", flat, 1, convolution, 1));
  CHECK_OK(bg_graph_builder_weight_bits(builder, NULL, 0));
  CHECK_OK(bg_graph_builder_build(builder, &graph));
  bg_graph_builder_free(builder);
  CHECK_OK(bg_graph_text(graph, &text));
  CHECK(strstr(text, "leave_float: true") != NULL && strstr(text, "scale: 0.5") != NULL);
  strncpy(kept, text, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  CHECK_OK(bg_graph_create_from_text(kept, "kept", &again));
  CHECK_OK(bg_graph_text(again, &text));
  CHECK(strcmp(text, kept) == 0);
  bg_graph_free(graph);
  bg_graph_free(again);
}

static void configurations(void) {
  int32_t count = 0;
  const char *name = NULL, *text = NULL;
  char kept[8192];
  bg_config *config = NULL, *none = NULL;
  bg_graph *graph = NULL;
  CHECK_OK(bg_recipe_count(&count));
  for (int32_t i = 0; i < count; ++i) {
    CHECK_OK(bg_recipe_name(i, &name));
    CHECK_OK(bg_config_create_from_recipe(name, &config));
    bg_config_free(config);
  }
  CHECK_INVALID("index", bg_recipe_name(count, &name));
  config = tiny_config();
  CHECK_OK(bg_config_set(config, "training.epochs", "5"));
  CHECK_OK(bg_config_text(config, &text));
  CHECK(strstr(text, "epochs: 5") != NULL);
  strncpy(kept, text, sizeof kept - 1);
  kept[sizeof kept - 1] = 0;
  CHECK_INVALID("training.epocs", bg_config_set(config, "training.epocs", "6"));
  CHECK_INVALID("many", bg_config_set(config, "training.epochs", "many"));
  CHECK_OK(bg_config_text(config, &text));
  CHECK(strcmp(text, kept) == 0); /* as it was */
  bg_config_free(config);
  CHECK_OK(bg_graph_create_from_zoo("lenet5", &graph));
  CHECK_OK(bg_config_create_from_graph(graph, &config));
  bg_graph_free(graph);
  CHECK_OK(bg_config_text(config, &text));
  CHECK(strstr(text, "lenet5") != NULL);
  bg_config_free(config);
  CHECK(none == NULL);
}

static void datasets(void) {
  int64_t size = 0, dims[3] = {0, 0, 0};
  int32_t classes = 0;
  bg_dataset *dataset = tiny_dataset(12, 3), *floats = NULL;
  const float pixels[4] = {0, 1, 2, 3};
  const int32_t labels[2] = {0, 1};
  CHECK_OK(bg_dataset_size(dataset, &size));
  CHECK_OK(bg_dataset_image_shape(dataset, dims));
  CHECK_OK(bg_dataset_classes(dataset, &classes));
  CHECK(size == 12 && dims[0] == 8 && dims[1] == 8 && dims[2] == 1 && classes == TINY_CLASSES);
  bg_dataset_free(dataset);
  CHECK_OK(bg_dataset_create(2, 1, 2, 1, BG_FLOAT32, pixels, labels, 0, &floats));
  CHECK_OK(bg_dataset_classes(floats, &classes));
  CHECK(classes == 2);
  bg_dataset_free(floats);
}

static void models_and_trainers(void) {
  bg_model *model = tiny_model(), *copy = NULL, *none = NULL;
  bg_config *config = NULL, *other = NULL;
  bg_graph *graph = NULL;
  bg_trainer *trainer = NULL;
  bg_train_result result = {.struct_size = sizeof result};
  const char *text = NULL;
  int32_t frozen = -1;
  CHECK_OK(bg_model_create_copy(model, &copy));
  CHECK_OK(bg_model_compute(copy, &text));
  CHECK(strcmp(text, "float32") == 0);
  CHECK_OK(bg_model_set_compute(copy, "float32"));
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cpu", bg_model_set_compute(copy, "tf32"));
  CHECK_INVALID("float32, tf32 or bfloat16", bg_model_set_compute(copy, ""));
  CHECK_OK(bg_model_is_frozen(copy, &frozen));
  CHECK(frozen == 0);
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "freeze", bg_model_export_onnx(copy, check_path("no.onnx"), &text));
  CHECK_OK(bg_model_config(copy, &config));
  CHECK_OK(bg_config_set(config, "training.epochs", "1"));
  CHECK_OK(bg_model_set_config(copy, config));
  CHECK_OK(bg_config_set(config, "quantizer.mu", "0.5"));
  CHECK_INVALID("mu", bg_model_set_config(copy, config)); /* not of this quantizer */
  CHECK_OK(bg_config_create_from_recipe("lenet5_float", &other));
  CHECK_INVALID("network", bg_model_set_config(copy, other));
  CHECK_OK(bg_model_graph(copy, &graph));
  CHECK_OK(bg_graph_text(graph, &text));
  CHECK(strstr(text, "\"tiny\"") != NULL);
  bg_graph_free(graph);
  bg_config_free(other);
  trainer = tiny_trainer(copy, NULL, BG_EXISTING_REFUSE);
  bg_config_free(config);
  bg_model_free(copy); /* the trainer keeps it */
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result));
  CHECK(result.epochs == 1 && result.seconds > 0 && result.test_loss > 0 && result.frozen == 0);
  bg_trainer_free(trainer);
  CHECK_INVALID("toaster", bg_model_create_from_file(check_path("nothing"), "toaster", &none));
  CHECK_STATUS(BG_STATUS_NOT_FOUND, "nothing", bg_model_create_from_file(check_path("nothing"), "cpu", &none));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "frozen",
               bg_trainer_create_fine_tuner(model, NULL, NULL, NULL, &trainer));
  CHECK(none == NULL);
  bg_model_free(model);
}

/* Of a zoo network whose batch norms freezing has folded: a configuration of it is not of the zoo's any more. */
static void graphs_of_models(void) {
  static const char *const kOfZoo[] = {"zoo: \"resnet20\"", "kind: \"batch_norm\""};
  const int64_t dims[4] = {2, 32, 32, 3};
  const char *text = NULL, *config_text = NULL;
  bg_context *context = tiny_context();
  bg_config *config = NULL;
  bg_graph *graph = NULL;
  bg_model *model = NULL, *again = NULL;
  bg_tensor *images = NULL, *logits = NULL, *penalty = NULL;
  CHECK_OK(bg_graph_create_from_zoo("resnet20", &graph));
  CHECK_OK(bg_config_create_from_graph(graph, &config));
  CHECK_OK(bg_config_set(config, "quantizer.method", "bayesian_bits"));
  CHECK_OK(bg_model_create(config, "cpu", &model));
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, NULL, &images));
  CHECK_OK(bg_model_forward(model, context, images, 1, 1, &logits, &penalty)); /* ranges are known now */
  for (int frozen = 0; frozen < 2; ++frozen) {
    bg_graph_free(graph);
    bg_config_free(config);
    if (frozen) CHECK_OK(bg_model_freeze(model, NULL));
    CHECK_OK(bg_model_graph(model, &graph));
    CHECK_OK(bg_graph_text(graph, &text));
    CHECK((strstr(text, kOfZoo[1]) == NULL) == frozen);
    CHECK_OK(bg_config_create_from_graph(graph, &config));
    CHECK_OK(bg_config_text(config, &config_text));
    CHECK((strstr(config_text, kOfZoo[0]) == NULL) == frozen);
    CHECK(strstr(config_text, kOfZoo[1]) == NULL);
    CHECK_OK(bg_model_create(config, "cpu", &again));
    bg_model_free(again);
  }
  bg_tensor_free(images);
  bg_tensor_free(logits);
  bg_tensor_free(penalty);
  bg_graph_free(graph);
  bg_config_free(config);
  bg_model_free(model);
  bg_context_free(context);
}

int main(int argc, char **argv) {
  check_begin(argc, argv);
  RUN(library);
  RUN(status_names);
  RUN(contexts);
  RUN(tensors);
  RUN(graphs);
  RUN(configurations);
  RUN(datasets);
  RUN(models_and_trainers);
  RUN(graphs_of_models);
  return check_finish();
}
