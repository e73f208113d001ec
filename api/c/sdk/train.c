/* Trains a network of one's own, built node by node, on images made here; freezes, fine-tunes and exports it.
 *
 *   ./train [model.onnx]
 */
#include <bitgate.h>
#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 12, CLASSES = 4, TRAIN_IMAGES = 1024, TEST_IMAGES = 256 };

static void check(bg_status status) {
  if (status == BG_STATUS_OK) return;
  fprintf(stderr, "train: %s: %s\n", bg_status_name(status), bg_last_error_message());
  exit(1);
}

/* A bright bar on noise: where it lies is the class. */
static bg_dataset* make_images(int count, unsigned seed) {
  unsigned char* images = malloc((size_t)count * SIDE * SIDE);
  int32_t* labels = malloc((size_t)count * sizeof *labels);
  bg_dataset* dataset = NULL;
  unsigned state = seed;
  if (images == NULL || labels == NULL) exit(1);
  for (int i = 0; i < count; ++i) {
    labels[i] = i % CLASSES;
    for (int pixel = 0; pixel < SIDE * SIDE; ++pixel) {
      const int bar = labels[i] < 2 ? pixel / SIDE / 6 == labels[i] : pixel % SIDE / 6 == labels[i] - 2;
      state = state * 1664525u + 1013904223u;
      images[i * SIDE * SIDE + pixel] = (unsigned char)((state >> 24) / 2 + (bar ? 100 : 0));
    }
  }
  check(bg_dataset_create(count, SIDE, SIDE, 1, BG_UINT8, images, labels, CLASSES, &dataset));
  free(images);
  free(labels);
  return dataset;
}

static void add_node(bg_graph_builder* builder, const char* name, const char* kind, const char* input,
                     const bg_attribute* attributes, int32_t count) {
  check(bg_graph_builder_node(builder, name, kind, &input, 1, attributes, count));
}

static bg_graph* make_graph(void) {
  const int64_t shape[] = {SIDE, SIDE, 1}, eight = 8, sixteen = 16, three = 3, two = 2, classes = CLASSES;
  const bg_attribute conv[] = {{"channels", &eight, 1}, {"kernel", &three, 1}};
  const bg_attribute pool[] = {{"kernel", &two, 1}};
  const bg_attribute hidden[] = {{"channels", &sixteen, 1}};
  const bg_attribute last[] = {{"channels", &classes, 1}};
  const bg_preprocessing preprocessing = {.struct_size = sizeof preprocessing, .scale = 1.0 / 255};
  bg_graph_builder* builder = NULL;
  bg_graph* graph = NULL;
  check(bg_graph_builder_create("bars", &builder));
  check(bg_graph_builder_input(builder, "input", 3, shape, &preprocessing));
  add_node(builder, "conv1", "conv2d", "input", conv, 2);
  add_node(builder, "relu1", "relu", "conv1", NULL, 0);
  add_node(builder, "pool1", "max_pool", "relu1", pool, 1);
  add_node(builder, "flat", "flatten", "pool1", NULL, 0);
  add_node(builder, "fc1", "linear", "flat", hidden, 1);
  add_node(builder, "relu2", "relu", "fc1", NULL, 0);
  add_node(builder, "fc2", "linear", "relu2", last, 1);
  check(bg_graph_builder_build(builder, &graph));
  bg_graph_builder_free(builder);
  return graph;
}

static int32_t on_epoch(void* user_data, const bg_epoch* epoch) {
  (void)user_data;
  printf("epoch %2d of %d  loss %.4f  test accuracy %5.1f %%  BOPs %.2f %%\n", (int)epoch->epoch, (int)epoch->epochs,
         epoch->train_loss, 100 * epoch->test_accuracy, 100 * epoch->relative_bops);
  return 0; /* anything else stops */
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "model.onnx";
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .epoch = on_epoch};
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  const char* table = NULL;
  bg_config* config = NULL;
  bg_model* model = NULL;
  bg_trainer *trainer = NULL, *fine_tuner = NULL;
  bg_bit_report* bits = NULL;
  bg_graph* graph = NULL;
  bg_dataset *train = NULL, *test = NULL;

  check(bg_check_abi(BG_ABI_VERSION));
  graph = make_graph();
  train = make_images(TRAIN_IMAGES, 1);
  test = make_images(TEST_IMAGES, 2);

  /* The settings are those of the command line; gates that begin nearer to closing suit a short training. */
  check(bg_config_create_from_graph(graph, &config));
  check(bg_config_set(config, "quantizer.mu", "0.05"));
  check(bg_config_set(config, "quantizer.initial_gate", "2"));
  check(bg_config_set(config, "training.epochs", "8"));
  check(bg_config_set(config, "training.batch_size", "32"));
  check(bg_config_set(config, "training.weights.learning_rate", "0.005"));
  check(bg_config_set(config, "training.gates.learning_rate", "0.05"));
  check(bg_model_create(config, "cpu", &model));
  check(bg_trainer_create(model, train, test, NULL, &trainer));
  check(bg_trainer_fit(trainer, &callbacks, NULL));

  /* Bit widths and channels stay as they are now; the weights settle around them. */
  check(bg_model_freeze(model, NULL));
  check(bg_config_set(config, "fine_tune.epochs", "2"));
  check(bg_model_set_config(model, config));
  check(bg_trainer_create_fine_tuner(model, train, test, NULL, &fine_tuner));
  check(bg_trainer_fit(fine_tuner, &callbacks, NULL));

  check(bg_model_bits(model, &bits));
  check(bg_bit_report_text(bits, &table));
  fputs(table, stdout);
  check(bg_model_evaluate(model, test, NULL, NULL, &evaluation));
  check(bg_model_export_onnx(model, path, NULL));
  printf("test accuracy %.1f %%, written to %s\n", 100 * evaluation.accuracy, path);

  bg_bit_report_free(bits);
  bg_trainer_free(fine_tuner);
  bg_trainer_free(trainer);
  bg_model_free(model);
  bg_config_free(config);
  bg_dataset_free(test);
  bg_dataset_free(train);
  bg_graph_free(graph);
  return evaluation.accuracy > 0.5 ? 0 : 1;
}
