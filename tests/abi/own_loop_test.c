/* Training in a loop of one's own: by forward and backward, and by single steps. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

enum { kMostParameters = 32 };

/* The gradient of a parameter, or NULL; an Adam step with it. */
static void update(bg_context* context, bg_tensor* parameter, bg_tensor* first, bg_tensor* second, int64_t step) {
  const bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.01, .step = step};
  bg_tensor* gradient = NULL;
  CHECK_OK(bg_tensor_gradient(parameter, &gradient));
  if (gradient != NULL) CHECK_OK(bg_adam_step(context, parameter, gradient, first, second, &adam));
  CHECK_OK(bg_tensor_clear_gradient(parameter));
  bg_tensor_free(gradient);
}

/* Cross-entropy of a batch; with `train`, walked back with the penalty. */
static float loss_of(bg_model* model, bg_context* context, bg_tensor* images, bg_tensor* labels, uint64_t step) {
  bg_tensor *logits = NULL, *penalty = NULL, *entropy = NULL, *loss = NULL;
  float value = NAN;
  CHECK_OK(bg_model_forward(model, context, images, 1, step, &logits, &penalty));
  CHECK(penalty != NULL);
  CHECK_OK(bg_softmax_cross_entropy(context, logits, labels, &entropy));
  CHECK_OK(bg_add(context, entropy, penalty, &loss));
  CHECK_OK(bg_backward(context, loss));
  CHECK_OK(bg_tensor_copy_to(entropy, &value, sizeof value));
  bg_tensor_free(logits);
  bg_tensor_free(penalty);
  bg_tensor_free(entropy);
  bg_tensor_free(loss);
  return value;
}

static void forward_and_backward(void) {
  enum { kImages = 64 };
  const int64_t dims[4] = {kImages, TINY_SIZE, TINY_SIZE, 1}, flat[1] = {kImages};
  static uint8_t pixels[kImages * TINY_SIZE * TINY_SIZE];
  static float preprocessed[kImages * TINY_SIZE * TINY_SIZE];
  int32_t classes[kImages], count = 0;
  int64_t correct = 0;
  float first = 0, last = 0;
  bg_context* context = tiny_context();
  bg_model* model = tiny_model();
  bg_tensor *images = NULL, *labels = NULL, *logits = NULL, *none = (bg_tensor*)classes;
  bg_tensor *parameters[kMostParameters], *moments[2][kMostParameters];
  tiny_pixels(kImages, 5, pixels, classes);
  for (size_t i = 0; i < sizeof pixels; ++i) preprocessed[i] = ((float)pixels[i] / 255 - 0.25f) / 0.5f;
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, preprocessed, &images));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, flat, classes, &labels));
  CHECK_OK(bg_model_parameter_count(model, &count));
  CHECK(count > 6 && count <= kMostParameters);
  for (int32_t i = 0; i < count; ++i) {
    const char* name = NULL;
    int64_t size = 0;
    CHECK_OK(bg_model_parameter(model, i, &name, &parameters[i]));
    if (i == 0) CHECK(strncmp(name, "conv1/", 6) == 0);
    CHECK_OK(bg_tensor_size(parameters[i], &size));
    for (int m = 0; m < 2; ++m) moments[m][i] = tiny_tensor(context, size, 0, NULL);
  }
  for (int step = 1; step <= 40; ++step) {
    last = loss_of(model, context, images, labels, (uint64_t)step);
    if (step == 1) first = last;
    for (int32_t i = 0; i < count; ++i) update(context, parameters[i], moments[0][i], moments[1][i], step);
  }
  CHECK(first > 1 && last < first / 2);
  CHECK_OK(bg_model_forward(model, context, images, 0, 0, &logits, &none));
  CHECK(none == NULL);
  CHECK_INVALID("backward", bg_backward(context, logits));
  CHECK_OK(bg_count_correct(context, logits, labels, &correct));
  CHECK(correct > kImages * 3 / 4);
  bg_tensor_free(logits);
  for (int32_t i = 0; i < count; ++i) {
    bg_tensor_free(parameters[i]);
    bg_tensor_free(moments[0][i]);
    bg_tensor_free(moments[1][i]);
  }
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_model_free(model);
  bg_context_free(context);
}

/* Two features, two classes, a linear layer without quantizers: its step is worked out here. */
static const char kLine[] =
    "network { graph { name: \"line\" input { shape: [2] }\n"
    "  node { name: \"fc\" kind: \"linear\" input: \"input\" attributes { channels: 2 } } } }\n"
    "quantizer { method: \"float\" }\n"
    "training { epochs: 1 weights { kind: SGD learning_rate: 0.5 } }\n";

static void read_parameter(bg_model* model, int32_t index, const char* expected, float* values, size_t bytes) {
  const char* name = NULL;
  bg_tensor* tensor = NULL;
  CHECK_OK(bg_model_parameter(model, index, &name, &tensor));
  CHECK(strcmp(name, expected) == 0);
  CHECK_OK(bg_tensor_copy_to(tensor, values, bytes));
  bg_tensor_free(tensor);
}

static void steps_are_what_they_say(void) {
  const float x[2] = {0.5f, -2};
  const int32_t label = 1;
  const int64_t dims[2] = {1, 2};
  float w[4], b[2], after_w[4], after_b[2];
  double z[2], q;
  bg_context* context = tiny_context();
  bg_config* config = NULL;
  bg_model* model = NULL;
  bg_trainer* trainer = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  bg_step_result result = {.struct_size = sizeof result};
  CHECK_OK(bg_config_create_from_text(kLine, NULL, &config));
  CHECK_OK(bg_model_create(config, "cpu", &model));
  CHECK_OK(bg_trainer_create_stepper(model, &trainer));
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 2, dims, x, &images));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, dims, &label, &labels));
  read_parameter(model, 0, "fc/weight", w, sizeof w);
  read_parameter(model, 1, "fc/bias", b, sizeof b);
  CHECK_OK(bg_trainer_step(trainer, images, labels, 0.5, &result));
  for (int o = 0; o < 2; ++o) z[o] = w[2 * o] * x[0] + w[2 * o + 1] * x[1] + b[o];
  q = 1 / (1 + exp(z[0] - z[1])); /* of class 1 */
  CHECK_NEAR(-log(q), result.loss, 1e-5);
  CHECK(result.penalty == 0 && result.correct == (z[1] > z[0]));
  read_parameter(model, 0, "fc/weight", after_w, sizeof after_w);
  read_parameter(model, 1, "fc/bias", after_b, sizeof after_b);
  for (int o = 0; o < 2; ++o) {
    const double gradient = (o == 1 ? q : 1 - q) - (o == 1);
    CHECK_NEAR(b[o] - 0.25 * gradient, after_b[o], 1e-5);
    for (int i = 0; i < 2; ++i) CHECK_NEAR(w[2 * o + i] - 0.25 * gradient * x[i], after_w[2 * o + i], 1e-5);
  }
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "without", bg_trainer_fit(trainer, NULL, NULL));
  bg_trainer_free(trainer);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_model_free(model);
  bg_config_free(config);
  bg_context_free(context);
}

static void a_trainer_fits_or_steps(void) {
  bg_context* context = tiny_context();
  bg_model* model = tiny_model();
  bg_trainer *fitting = tiny_trainer(model, NULL, BG_EXISTING_REFUSE), *stepping = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  tiny_batch(context, 8, 1, &images, &labels);
  CHECK_OK(bg_trainer_fit(fitting, NULL, NULL));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "fit", bg_trainer_step(fitting, images, labels, 1, NULL));
  stepping = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_step(stepping, images, labels, 1, NULL));
  CHECK_STATUS(BG_STATUS_FAILED_PRECONDITION, "steps", bg_trainer_fit(stepping, NULL, NULL));
  bg_trainer_free(fitting);
  bg_trainer_free(stepping);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_model_free(model);
  bg_context_free(context);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(forward_and_backward);
  RUN(steps_are_what_they_say);
  RUN(a_trainer_fits_or_steps);
  return check_finish();
}
