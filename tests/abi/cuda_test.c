/* The interface on a GPU: that of BITGATE_TEST_DEVICE, or cuda:0 where the variable names none. Then every case is
 * skipped where the library has been built without CUDA, or there is no GPU; one that was asked for must open. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static const char* device_name = "cuda:0";

enum { kMostParameters = 32, kPixels = TINY_SIZE * TINY_SIZE };

static bg_tensor* on(bg_context* context, int64_t rows, int64_t columns, const float* values) {
  return tiny_tensor(context, rows, columns, values);
}

/* All elements, of at most 4096 floats. */
static const float* elements(bg_tensor* tensor) {
  static float values[4][4096];
  static int next;
  int64_t size = 0;
  float* here = values[next++ % 4];
  CHECK_OK(bg_tensor_size(tensor, &size));
  CHECK(size <= 4096);
  CHECK_OK(bg_tensor_copy_to(tensor, here, (size_t)size * sizeof *here));
  return here;
}

/* Words about the device; the last eight are kept. */
static const char* about_device(const char* before, const char* behind) {
  static char texts[8][64];
  static int next;
  char* text = texts[next++ % 8];
  snprintf(text, sizeof texts[0], "%s%s%s", before, device_name, behind);
  return text;
}

static void check_device(bg_tensor* tensor, const char* expected) {
  const char* device = NULL;
  CHECK_OK(bg_tensor_device(tensor, &device));
  CHECK(strcmp(device, expected) == 0);
}

static void contexts(void) {
  const char* text = NULL;
  bg_context *context = tiny_context_on(device_name), *other = NULL;
  CHECK_OK(bg_context_device(context, &text));
  CHECK(strcmp(text, device_name) == 0);
  CHECK_OK(bg_context_device_name(context, &text));
  CHECK(strlen(text) > 0);
  for (int i = 0; i < 3; ++i) {
    const char* const ways[] = {"bfloat16", "tf32", "float32"};
    CHECK_OK(bg_context_set_compute(context, ways[i]));
    CHECK_OK(bg_context_compute(context, &text));
    CHECK(strcmp(text, ways[i]) == 0);
  }
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cuda:999", bg_context_create("cuda:999", &other));
  CHECK(other == NULL);
  bg_context_free(context);
}

static void tensors(void) {
  enum { kLarge = 300000 };
  static float large[kLarge], back[kLarge];
  const float values[3] = {1, 2, 3}, others[3] = {4, 5, 6};
  const int64_t dims[1] = {kLarge};
  void* data = NULL;
  bg_context* context = tiny_context_on(device_name);
  bg_tensor *tensor = on(context, 3, 0, values), *zeros = on(context, 3, 0, NULL), *alias = NULL, *none = NULL;
  check_device(tensor, device_name);
  CHECK(memcmp(elements(tensor), values, sizeof values) == 0);
  CHECK(elements(zeros)[0] == 0 && elements(zeros)[2] == 0);
  CHECK_OK(bg_tensor_create_alias(tensor, &alias));
  CHECK_OK(bg_tensor_copy_from(tensor, others, sizeof others));
  CHECK(memcmp(elements(alias), others, sizeof others) == 0);
  CHECK_INVALID("bg_tensor_copy_to", bg_tensor_data(tensor, &data));
  CHECK_INVALID("cpu", bg_tensor_borrow(context, BG_FLOAT32, 1, dims, large, NULL, NULL, &none));
  CHECK_INVALID("12", bg_tensor_copy_to(tensor, back, 8));
  CHECK(none == NULL && data == NULL);
  bg_tensor_free(tensor);
  for (int i = 0; i < kLarge; ++i) large[i] = (float)i;
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 1, dims, large, &tensor));
  memset(large, 0, sizeof large); /* it may be reused at once */
  CHECK_OK(bg_tensor_copy_to(tensor, back, sizeof back));
  CHECK(back[0] == 0 && back[1] == 1 && back[kLarge - 1] == kLarge - 1);
  bg_tensor_free(tensor);
  bg_tensor_free(zeros);
  bg_tensor_free(alias);
  bg_context_free(context);
}

/* What one context has queued is done before what another does with its tensor, also when the first is gone. */
static void contexts_come_and_go(void) {
  const float one[1] = {1};
  bg_context* context = tiny_context_on(device_name);
  bg_tensor *x = on(context, 1, 0, one), *y = NULL;
  for (int i = 0; i < 12; ++i) {
    CHECK_OK(bg_scale(context, x, 2, &y));
    bg_tensor_free(x);
    x = y;
    bg_context_free(context);
    context = tiny_context_on(device_name);
  }
  bg_context_free(context);
  CHECK(elements(x)[0] == 4096);
  bg_tensor_free(x);
}

/* loss = mean cross-entropy of a linear layer with ReLU; the gradient of its weight, and an Adam and an SGD step. */
static void one_step(const char* device, float* loss, float* gradient, float* adam_weight, float* sgd_weight) {
  enum { kIn = 5, kOut = 3, kRows = 4, kWeights = kIn * kOut };
  const int64_t rows[1] = {kRows};
  const int32_t classes[kRows] = {0, 2, 1, 2};
  const bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.1, .step = 1};
  const bg_sgd_params sgd = {.struct_size = sizeof sgd, .learning_rate = 0.5, .momentum = 0.9, .nesterov = 1};
  float x_values[kRows * kIn], w_values[kWeights];
  int64_t correct = -1;
  bg_context* context = tiny_context_on(device);
  bg_tensor *x = NULL, *w = NULL, *labels = NULL, *y = NULL, *entropy = NULL, *grad = NULL, *copy = NULL;
  bg_tensor* moments[3];
  for (int i = 0; i < kRows * kIn; ++i) x_values[i] = sinf((float)(3 * i + 1));
  for (int i = 0; i < kWeights; ++i) w_values[i] = cosf((float)(5 * i + 2));
  x = on(context, kRows, kIn, x_values);
  w = on(context, kOut, kIn, w_values);
  copy = on(context, kOut, kIn, w_values);
  for (int i = 0; i < 3; ++i) moments[i] = on(context, kOut, kIn, NULL);
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, rows, classes, &labels));
  CHECK_OK(bg_tensor_set_requires_grad(w, 1));
  CHECK_OK(bg_linear(context, x, w, NULL, BG_ACTIVATION_RELU, &y));
  CHECK_OK(bg_count_correct(context, y, labels, &correct));
  CHECK(correct >= 0 && correct <= kRows);
  CHECK_OK(bg_softmax_cross_entropy(context, y, labels, &entropy));
  CHECK_OK(bg_backward(context, entropy));
  CHECK_OK(bg_tensor_gradient(w, &grad));
  check_device(grad, device);
  CHECK_OK(bg_tensor_copy_to(entropy, loss, sizeof *loss));
  memcpy(gradient, elements(grad), kWeights * sizeof *gradient);
  CHECK_OK(bg_adam_step(context, w, grad, moments[0], moments[1], &adam));
  CHECK_OK(bg_sgd_step(context, copy, grad, moments[2], &sgd));
  memcpy(adam_weight, elements(w), kWeights * sizeof *adam_weight);
  memcpy(sgd_weight, elements(copy), kWeights * sizeof *sgd_weight);
  for (int i = 0; i < 3; ++i) bg_tensor_free(moments[i]);
  bg_tensor_free(x);
  bg_tensor_free(w);
  bg_tensor_free(copy);
  bg_tensor_free(labels);
  bg_tensor_free(y);
  bg_tensor_free(entropy);
  bg_tensor_free(grad);
  bg_context_free(context);
}

static void a_step_as_on_the_cpu(void) {
  float loss[2], gradient[2][15], adam[2][15], sgd[2][15];
  one_step("cpu", &loss[0], gradient[0], adam[0], sgd[0]);
  one_step(device_name, &loss[1], gradient[1], adam[1], sgd[1]);
  CHECK_NEAR(loss[0], loss[1], 1e-6);
  for (int i = 0; i < 15; ++i) {
    CHECK_NEAR(gradient[0][i], gradient[1][i], 1e-6);
    CHECK_NEAR(sgd[0][i], sgd[1][i], 1e-6);
    /* Adam's first step is a sign: that of a gradient near 0 may differ. */
    if (fabsf(gradient[0][i]) > 1e-5f || gradient[0][i] == 0) CHECK_NEAR(adam[0][i], adam[1][i], 1e-4);
  }
}

static void mixed_devices(void) {
  const float values[4] = {1, 2, 3, 4};
  const bg_sgd_params sgd = {.struct_size = sizeof sgd, .learning_rate = 0.5};
  bg_context *gpu = tiny_context_on(device_name), *cpu = tiny_context();
  bg_tensor *there = on(gpu, 2, 2, values), *here = on(cpu, 2, 2, values), *y = NULL, *loss = NULL, *penalty = NULL;
  bg_model *gpu_model = tiny_model_on(device_name), *cpu_model = tiny_model();
  bg_trainer *gpu_trainer = NULL, *cpu_trainer = NULL;
  bg_tensor *gpu_images = NULL, *gpu_labels = NULL, *cpu_images = NULL, *cpu_labels = NULL, *floats[2];
  const int64_t dims[4] = {1, TINY_SIZE, TINY_SIZE, 1};
  int32_t classes[4];
  const char *is_on_cpu = about_device("on ", ", got it on cpu"), *is_on_gpu = about_device("on cpu, got it on ", "");
  CHECK_INVALID(is_on_cpu, bg_relu(gpu, here, &y));
  CHECK_INVALID(is_on_gpu, bg_relu(cpu, there, &y));
  CHECK_INVALID(is_on_cpu, bg_add(gpu, there, here, &y));
  CHECK_INVALID(is_on_cpu, bg_mat_mul(gpu, here, there, 0, 0, &y));
  CHECK_INVALID(is_on_gpu, bg_flatten(cpu, there, &y));
  CHECK_INVALID(is_on_cpu, bg_sgd_step(gpu, there, here, NULL, &sgd));
  CHECK_INVALID(is_on_gpu, bg_sgd_step(cpu, there, there, NULL, &sgd));
  CHECK_OK(bg_tensor_set_requires_grad(there, 1));
  CHECK_OK(bg_sum(gpu, there, &loss));
  CHECK_INVALID("backward", bg_backward(cpu, loss));
  CHECK_OK(bg_backward(gpu, loss));

  CHECK_OK(bg_tensor_create(gpu, BG_FLOAT32, 4, dims, NULL, &floats[0]));
  CHECK_OK(bg_tensor_create(cpu, BG_FLOAT32, 4, dims, NULL, &floats[1]));
  for (int train = 0; train < 2; ++train) {
    CHECK_INVALID(about_device("a context on ", ""),
                  bg_model_forward(gpu_model, cpu, floats[0], train, 1, &y, &penalty));
    CHECK_INVALID(about_device("images on ", ""), bg_model_forward(gpu_model, gpu, floats[1], train, 1, &y, &penalty));
    CHECK_INVALID("a context on cpu", bg_model_forward(cpu_model, gpu, floats[1], train, 1, &y, &penalty));
    CHECK_INVALID("images on cpu", bg_model_forward(cpu_model, cpu, floats[0], train, 1, &y, &penalty));
  }
  tiny_batch(gpu, TINY_BATCH, 1, &gpu_images, &gpu_labels);
  tiny_batch(cpu, TINY_BATCH, 1, &cpu_images, &cpu_labels);
  CHECK_OK(bg_trainer_create_stepper(gpu_model, &gpu_trainer));
  CHECK_OK(bg_trainer_create_stepper(cpu_model, &cpu_trainer));
  CHECK_INVALID("raw images on the cpu", bg_trainer_step(gpu_trainer, gpu_images, cpu_labels, 1, NULL));
  CHECK_INVALID("raw images on the cpu", bg_model_predict(gpu_model, gpu_images, classes));
  CHECK_INVALID(is_on_gpu, bg_trainer_step(cpu_trainer, cpu_images, gpu_labels, 1, NULL));
  CHECK(y == NULL && penalty == NULL);
  bg_tensor* all[] = {there, here, loss, floats[0], floats[1], gpu_images, gpu_labels, cpu_images, cpu_labels};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
  bg_trainer_free(gpu_trainer);
  bg_trainer_free(cpu_trainer);
  bg_model_free(gpu_model);
  bg_model_free(cpu_model);
  bg_context_free(gpu);
  bg_context_free(cpu);
}

static void steps(void) {
  const char* way = NULL;
  const char* const ways[] = {"float32", "tf32", "bfloat16"};
  float losses[3][6];
  bg_context *gpu = tiny_context_on(device_name), *cpu = tiny_context();
  bg_tensor *gpu_images = NULL, *gpu_labels = NULL, *images = NULL, *labels = NULL, *wrong = NULL;
  const int64_t dims[1] = {TINY_BATCH};
  int32_t no_classes[TINY_BATCH] = {0};
  no_classes[3] = TINY_CLASSES;
  tiny_batch(gpu, TINY_BATCH, 1, &gpu_images, &gpu_labels);
  tiny_batch(cpu, TINY_BATCH, 1, &images, &labels);
  CHECK_OK(bg_tensor_create(cpu, BG_INT32, 1, dims, no_classes, &wrong));
  for (int i = 0; i < 3; ++i) {
    bg_step_result result = {.struct_size = sizeof result};
    bg_model *model = tiny_model_on(device_name), *copy = NULL;
    bg_trainer* trainer = NULL;
    CHECK_OK(bg_model_set_compute(model, ways[i]));
    CHECK_OK(bg_model_create_copy(model, &copy));
    CHECK_OK(bg_model_compute(copy, &way));
    CHECK(strcmp(way, ways[i]) == 0);
    CHECK_OK(bg_trainer_create_stepper(model, &trainer));
    CHECK_INVALID("got 4 at index 3", bg_trainer_step(trainer, images, wrong, 1, NULL));
    for (int step = 0; step < 6; ++step) { /* labels from the one and the other are the same */
      CHECK_OK(bg_trainer_step(trainer, images, step % 2 == 0 ? labels : gpu_labels, 1, &result));
      losses[i][step] = (float)result.loss;
    }
    CHECK(losses[i][0] > 0.5f && losses[i][5] < losses[i][0]);
    CHECK_NEAR(losses[0][0], losses[i][0], 0.05);
    bg_trainer_free(trainer);
    bg_model_free(model);
    bg_model_free(copy);
  }
  bg_tensor* all[] = {gpu_images, gpu_labels, images, labels, wrong};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
  bg_context_free(gpu);
  bg_context_free(cpu);
}

typedef struct {
  bg_status status;
  char message[512];
  double losses[8];
} stepping;

/* Steps of a model of the thread's own, captured and replayed while others do the same. Checks belong to the main
 * thread alone. */
static void* take_steps(void* data) {
  stepping* self = data;
  const int64_t dims[4] = {TINY_BATCH, TINY_SIZE, TINY_SIZE, 1};
  uint8_t pixels[TINY_BATCH * kPixels];
  int32_t classes[TINY_BATCH];
  bg_config* config = NULL;
  bg_context* context = NULL;
  bg_model* model = NULL;
  bg_trainer* trainer = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  tiny_pixels(TINY_BATCH, 1, pixels, classes);
  self->status = bg_config_create_from_text(kTinyRecipe, "tiny", &config);
  if (self->status == BG_STATUS_OK) self->status = bg_context_create("cpu", &context);
  if (self->status == BG_STATUS_OK) self->status = bg_model_create(config, device_name, &model);
  if (self->status == BG_STATUS_OK) self->status = bg_trainer_create_stepper(model, &trainer);
  if (self->status == BG_STATUS_OK) self->status = bg_tensor_create(context, BG_UINT8, 4, dims, pixels, &images);
  if (self->status == BG_STATUS_OK) self->status = bg_tensor_create(context, BG_INT32, 1, dims, classes, &labels);
  for (int step = 0; step < 8 && self->status == BG_STATUS_OK; ++step) {
    bg_step_result result = {.struct_size = sizeof result};
    self->status = bg_trainer_step(trainer, images, labels, 1, &result);
    self->losses[step] = result.loss;
  }
  if (self->status != BG_STATUS_OK) strncpy(self->message, bg_last_error_message(), sizeof self->message - 1);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_trainer_free(trainer);
  bg_model_free(model);
  bg_config_free(config);
  bg_context_free(context);
  return NULL;
}

static void threads(void) {
  enum { kThreads = 4 };
  static stepping alone, together[kThreads];
  pthread_t running[kThreads];
  take_steps(&alone);
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_create(&running[i], NULL, take_steps, &together[i]) == 0);
  for (int i = 0; i < kThreads; ++i) CHECK(pthread_join(running[i], NULL) == 0);
  CHECK(alone.status == BG_STATUS_OK && alone.losses[7] < alone.losses[0]);
  for (int i = 0; i < kThreads; ++i) {
    if (together[i].status != BG_STATUS_OK) check_fail(__FILE__, __LINE__, "%s", together[i].message);
    CHECK(memcmp(alone.losses, together[i].losses, sizeof alone.losses) == 0);
  }
}

/* The gradient of a parameter, if it has one, and an Adam step with it. */
static void update(bg_context* context, bg_tensor* parameter, bg_tensor* first, bg_tensor* second, int64_t step) {
  const bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.01, .step = step};
  bg_tensor* gradient = NULL;
  CHECK_OK(bg_tensor_gradient(parameter, &gradient));
  if (gradient != NULL) CHECK_OK(bg_adam_step(context, parameter, gradient, first, second, &adam));
  CHECK_OK(bg_tensor_clear_gradient(parameter));
  bg_tensor_free(gradient);
}

static void a_loop_of_ones_own(void) {
  enum { kImages = 64 };
  const int64_t dims[4] = {kImages, TINY_SIZE, TINY_SIZE, 1};
  static uint8_t pixels[kImages * kPixels];
  static float preprocessed[kImages * kPixels];
  int32_t classes[kImages], count = 0;
  float first = 0, last = 0;
  bg_context* context = tiny_context_on(device_name);
  bg_model* model = tiny_model_on(device_name);
  bg_tensor *images = NULL, *labels = NULL, *parameters[kMostParameters], *moments[2][kMostParameters];
  tiny_pixels(kImages, 5, pixels, classes);
  for (size_t i = 0; i < sizeof pixels; ++i) preprocessed[i] = ((float)pixels[i] / 255 - 0.25f) / 0.5f;
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, preprocessed, &images));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, dims, classes, &labels));
  CHECK_OK(bg_model_parameter_count(model, &count));
  CHECK(count > 6 && count <= kMostParameters);
  for (int32_t i = 0; i < count; ++i) {
    const char* name = NULL;
    int64_t size = 0;
    CHECK_OK(bg_model_parameter(model, i, &name, &parameters[i]));
    check_device(parameters[i], device_name);
    CHECK_OK(bg_tensor_size(parameters[i], &size));
    for (int m = 0; m < 2; ++m) moments[m][i] = on(context, size, 0, NULL);
  }
  for (int step = 1; step <= 12; ++step) {
    bg_tensor *logits = NULL, *penalty = NULL, *entropy = NULL, *loss = NULL;
    CHECK_OK(bg_model_forward(model, context, images, 1, (uint64_t)step, &logits, &penalty));
    CHECK_OK(bg_softmax_cross_entropy(context, logits, labels, &entropy));
    CHECK_OK(bg_add(context, entropy, penalty, &loss));
    CHECK_OK(bg_backward(context, loss));
    CHECK_OK(bg_tensor_copy_to(entropy, step == 1 ? &first : &last, sizeof last));
    for (int32_t i = 0; i < count; ++i) update(context, parameters[i], moments[0][i], moments[1][i], step);
    bg_tensor_free(logits);
    bg_tensor_free(penalty);
    bg_tensor_free(entropy);
    bg_tensor_free(loss);
  }
  CHECK(first > 1 && last < first);
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

static void train_to(const char* output) {
  bg_model* model = tiny_model_on(device_name);
  bg_trainer* trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE);
  bg_train_result result = {.struct_size = sizeof result};
  CHECK_OK(bg_trainer_fit(trainer, NULL, &result));
  CHECK(result.epochs == 3 && result.test_accuracy > 0.5);
  bg_trainer_free(trainer);
  bg_model_free(model);
}

static bg_tensor* logits_of(bg_model* model, bg_tensor* images, int32_t* classes) {
  bg_tensor* logits = NULL;
  CHECK_OK(bg_model_predict(model, images, classes));
  CHECK_OK(bg_model_logits(model, images, &logits));
  return logits;
}

/* Trained on a GPU, twice to the same bytes; frozen, tuned and exported there; the same on the cpu but for rounding. */
static void from_training_to_a_model(void) {
  const char *run = check_path("run.safetensors"), *again = check_path("again.safetensors");
  const char *tuned = check_path("tuned.safetensors"), *onnx[2];
  bg_config* config = tiny_config_with_fine_tune();
  bg_context* cpu = tiny_context();
  bg_dataset* test = tiny_dataset(TINY_TEST, 2);
  bg_model *model = NULL, *here = NULL;
  bg_trainer* tuner = NULL;
  bg_evaluation evaluations[2] = {{.struct_size = sizeof(bg_evaluation)}, {.struct_size = sizeof(bg_evaluation)}};
  bg_tensor *images = NULL, *labels = NULL, *logits[2];
  int32_t classes[2][TINY_BATCH], different = 0;
  onnx[0] = check_path("cuda.onnx");
  onnx[1] = check_path("cpu.onnx");
  train_to(run);
  train_to(again);
  CHECK_SAME_FILE(run, again);
  CHECK_OK(bg_model_create_from_file(run, device_name, &model));
  CHECK_OK(bg_model_set_config(model, config));
  CHECK_OK(bg_model_freeze(model, NULL));
  tuner = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(tuner, NULL, NULL));
  CHECK_OK(bg_model_save(model, tuned));
  CHECK_OK(bg_model_create_from_file(tuned, "cpu", &here));
  CHECK_OK(bg_model_export_onnx(model, onnx[0], NULL));
  CHECK_OK(bg_model_export_onnx(here, onnx[1], NULL));
  CHECK_SAME_FILE(onnx[0], onnx[1]);
  CHECK_OK(bg_model_evaluate(model, test, NULL, NULL, &evaluations[0]));
  CHECK_OK(bg_model_evaluate(here, test, NULL, NULL, &evaluations[1]));
  CHECK(evaluations[0].images == TINY_TEST && evaluations[0].accuracy > 0.5);
  CHECK_NEAR(evaluations[0].cross_entropy, evaluations[1].cross_entropy, 0.02);
  tiny_batch(cpu, TINY_BATCH, 3, &images, &labels);
  logits[0] = logits_of(model, images, classes[0]);
  logits[1] = logits_of(here, images, classes[1]);
  check_device(logits[0], device_name);
  check_device(logits[1], "cpu");
  for (int i = 0; i < TINY_BATCH; ++i) different += classes[0][i] != classes[1][i];
  CHECK(different <= 1);
  bg_tensor_free(logits[0]);
  bg_tensor_free(logits[1]);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_trainer_free(tuner);
  bg_model_free(model);
  bg_model_free(here);
  bg_dataset_free(test);
  bg_config_free(config);
  bg_context_free(cpu);
}

static const struct {
  const char* name;
  check_case run;
} kCases[] = {{"contexts", contexts},
              {"tensors", tensors},
              {"contexts_come_and_go", contexts_come_and_go},
              {"a_step_as_on_the_cpu", a_step_as_on_the_cpu},
              {"mixed_devices", mixed_devices},
              {"steps", steps},
              {"threads", threads},
              {"a_loop_of_ones_own", a_loop_of_ones_own},
              {"from_training_to_a_model", from_training_to_a_model}};

static void opens(void) {
  bg_context* context = NULL;
  CHECK_OK(bg_context_create(device_name, &context));
  bg_context_free(context);
}

int main(int argc, char** argv) {
  const char* asked = getenv("BITGATE_TEST_DEVICE");
  bg_context* probe = NULL;
  bg_status status;
  if (asked != NULL && strncmp(asked, "cuda", 4) != 0) asked = NULL;
  if (asked != NULL) device_name = asked;
  check_begin(argc, argv);
  status = bg_context_create(device_name, &probe);
  bg_context_free(probe);
  if (asked != NULL && status != BG_STATUS_OK) {
    RUN(opens);
    return check_finish();
  }
  for (size_t i = 0; i < sizeof kCases / sizeof *kCases; ++i) {
    if (status == BG_STATUS_UNSUPPORTED_DEVICE) {
      check_skip(kCases[i].name, bg_last_error_message());
    } else {
      check_run(kCases[i].name, kCases[i].run);
    }
  }
  return check_finish();
}
