#include "tests/abi/tiny.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/abi/check.h"

const char kTinyRecipe[] =
    "network { graph {\n"
    "  name: \"tiny\"\n"
    "  input { shape: [8, 8, 1] preprocessing { scale: 0.00392156862745098 mean: 0.25 std: 0.5 } }\n"
    "  node { name: \"conv1\" kind: \"conv2d\" input: \"input\" attributes { channels: 6 kernel: 3 } }\n"
    "  node { name: \"relu1\" kind: \"relu\" input: \"conv1\" }\n"
    "  node { name: \"pool1\" kind: \"max_pool\" input: \"relu1\" attributes { kernel: 2 } }\n"
    "  node { name: \"flat\" kind: \"flatten\" input: \"pool1\" }\n"
    "  node { name: \"fc1\" kind: \"linear\" input: \"flat\" attributes { channels: 12 } }\n"
    "  node { name: \"relu2\" kind: \"relu\" input: \"fc1\" }\n"
    "  node { name: \"fc2\" kind: \"linear\" input: \"relu2\" attributes { channels: 4 } }\n"
    "} }\n"
    "quantizer { method: \"bayesian_bits\" mu: 0.02 initial_gate: 2 initially_closed_bits: [16, 32] }\n"
    "training { epochs: 3 batch_size: 32 seed: 7\n"
    "  weights { learning_rate: 0.01 schedule { kind: LINEAR_LAST_THIRD } }\n"
    "  gates { learning_rate: 0.05 }\n"
    "  ranges { learning_rate: 0.01 } }\n"
    "evaluation { batch_size: 32 }\n";

const char kTinyFineTune[] =
    "fine_tune { epochs: 2\n"
    "  weights { learning_rate: 0.002 schedule { kind: COSINE } }\n"
    "  ranges { learning_rate: 0.002 } }\n";

const char kTinyBsqRecipe[] =
    "network { graph {\n"
    "  name: \"tiny_bsq\"\n"
    "  input { shape: [8, 8, 1] preprocessing { scale: 0.00392156862745098 mean: 0.25 std: 0.5 } }\n"
    "  node { name: \"conv1\" kind: \"conv2d\" input: \"input\" attributes { channels: 6 kernel: 3 bias: false } }\n"
    "  node { name: \"bn1\" kind: \"batch_norm\" input: \"conv1\" }\n"
    "  node { name: \"relu1\" kind: \"relu\" input: \"bn1\" }\n"
    "  node { name: \"pool1\" kind: \"max_pool\" input: \"relu1\" attributes { kernel: 2 } }\n"
    "  node { name: \"flat\" kind: \"flatten\" input: \"pool1\" }\n"
    "  node { name: \"fc1\" kind: \"linear\" input: \"flat\" attributes { channels: 12 } }\n"
    "  node { name: \"relu2\" kind: \"relu\" input: \"fc1\" }\n"
    "  node { name: \"fc2\" kind: \"linear\" input: \"relu2\" attributes { channels: 4 } }\n"
    "} }\n"
    "quantizer { method: \"bsq\" alpha: 0.05 initial_bits: 5 }\n"
    "training { epochs: 6 batch_size: 32 seed: 7 requantize_every: 2\n"
    "  weights { kind: SGD learning_rate: 0.5 momentum: 0.9 }\n"
    "  ranges { kind: SGD learning_rate: 0 } }\n"
    "evaluation { batch_size: 32 }\n";

static uint32_t next_random(uint32_t* state) {
  *state = *state * 1664525u + 1013904223u;
  return *state >> 16;
}

void tiny_pixels(int count, uint32_t seed, uint8_t* images, int32_t* labels) {
  for (int i = 0; i < count; ++i) {
    uint8_t* image = images + (size_t)i * TINY_SIZE * TINY_SIZE;
    const int label = (int)(next_random(&seed) % TINY_CLASSES);
    const int place = 2 + 3 * (label % 2) + (int)(next_random(&seed) % 2);
    for (int p = 0; p < TINY_SIZE * TINY_SIZE; ++p) {
      const int at = label < 2 ? p / TINY_SIZE : p % TINY_SIZE;
      image[p] = (uint8_t)(next_random(&seed) % 90 + (at == place ? 140 : 0));
    }
    labels[i] = label;
  }
}

static bg_config* config_of(const char* recipe, const char* more) {
  char text[4096];
  bg_config* config = NULL;
  snprintf(text, sizeof text, "%s%s", recipe, more);
  CHECK_OK(bg_config_create_from_text(text, "tiny", &config));
  return config;
}

bg_config* tiny_config(void) { return config_of(kTinyRecipe, ""); }
bg_config* tiny_config_with_fine_tune(void) { return config_of(kTinyRecipe, kTinyFineTune); }
bg_config* tiny_bsq_config(void) { return config_of(kTinyBsqRecipe, ""); }

bg_dataset* tiny_dataset(int count, uint32_t seed) {
  uint8_t* images = malloc((size_t)count * TINY_SIZE * TINY_SIZE);
  int32_t* labels = malloc((size_t)count * sizeof *labels);
  bg_dataset* dataset = NULL;
  tiny_pixels(count, seed, images, labels);
  CHECK_OK(bg_dataset_create(count, TINY_SIZE, TINY_SIZE, 1, BG_UINT8, images, labels, TINY_CLASSES, &dataset));
  free(images);
  free(labels);
  return dataset;
}

bg_model* tiny_model(void) { return tiny_model_on(NULL); }

bg_model* tiny_bsq_model(void) {
  bg_config* config = tiny_bsq_config();
  bg_model* model = NULL;
  CHECK_OK(bg_model_create(config, NULL, &model));
  bg_config_free(config);
  return model;
}

bg_model* tiny_model_on(const char* device) {
  bg_config* config = tiny_config();
  bg_model* model = NULL;
  CHECK_OK(bg_model_create(config, device, &model));
  bg_config_free(config);
  return model;
}

bg_model* tiny_stepped_model(void) {
  bg_config* config = tiny_config_with_fine_tune();
  bg_context* context = tiny_context();
  bg_model* model = NULL;
  bg_trainer* trainer = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  tiny_batch(context, TINY_BATCH, 1, &images, &labels);
  CHECK_OK(bg_model_create(config, "cpu", &model));
  CHECK_OK(bg_trainer_create_stepper(model, &trainer));
  CHECK_OK(bg_trainer_step(trainer, images, labels, 1, NULL));
  bg_trainer_free(trainer);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_context_free(context);
  bg_config_free(config);
  return model;
}

bg_trainer* tiny_trainer(bg_model* model, const char* output, bg_existing existing) {
  bg_dataset* train = tiny_dataset(TINY_TRAIN, 1);
  bg_dataset* test = tiny_dataset(TINY_TEST, 2);
  const bg_trainer_options options = {sizeof options, existing, output};
  int32_t frozen = 0;
  bg_trainer* trainer = NULL;
  CHECK_OK(bg_model_is_frozen(model, &frozen));
  if (frozen) {
    CHECK_OK(bg_trainer_create_fine_tuner(model, train, test, &options, &trainer));
  } else {
    CHECK_OK(bg_trainer_create(model, train, test, &options, &trainer));
  }
  bg_dataset_free(train);
  bg_dataset_free(test);
  return trainer;
}

bg_context* tiny_context(void) { return tiny_context_on("cpu"); }

bg_context* tiny_context_on(const char* device) {
  bg_context* context = NULL;
  CHECK_OK(bg_context_create(device, &context));
  return context;
}

bg_tensor* tiny_tensor(bg_context* context, int64_t rows, int64_t columns, const float* values) {
  const int64_t dims[2] = {rows, columns};
  bg_tensor* tensor = NULL;
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, columns > 0 ? 2 : 1, dims, values, &tensor));
  return tensor;
}

void tiny_batch(bg_context* context, int count, uint32_t seed, bg_tensor** images, bg_tensor** labels) {
  const int64_t dims[4] = {count, TINY_SIZE, TINY_SIZE, 1};
  uint8_t* pixels = malloc((size_t)count * TINY_SIZE * TINY_SIZE);
  int32_t* classes = malloc((size_t)count * sizeof *classes);
  tiny_pixels(count, seed, pixels, classes);
  CHECK_OK(bg_tensor_create(context, BG_UINT8, 4, dims, pixels, images));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, dims, classes, labels));
  free(pixels);
  free(classes);
}
