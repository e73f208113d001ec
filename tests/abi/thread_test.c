/* One handle is for one thread at a time: another one is told so. Different handles do not hear of each other. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

/* A thread that the scheduler keeps waiting inside a call leaves the other one nothing but BUSY: it goes on until one
 * of its calls is done. */
enum { kThreads = 4, kCalls = 300, kMostCalls = 100000000 };

/* Checks are counted by the thread that runs the case: others hand back what they saw. */
typedef struct work {
  int index;
  bg_context* context;
  bg_tensor* tensor;
  bg_model* model;
  bg_trainer* trainer;
  int done, busy, other;
  float sum;
  char message[256];
} work;

static void count(work* of, bg_status status) {
  of->done += status == BG_STATUS_OK;
  of->busy += status == BG_STATUS_BUSY;
  of->other += status != BG_STATUS_OK && status != BG_STATUS_BUSY;
}

static void run_all(void* (*body)(void*), work* all) {
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) {
    all[i].index = i;
    CHECK(pthread_create(&threads[i], NULL, body, &all[i]) == 0);
  }
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
}

static void* uses_one_tensor(void* user_data) {
  work* of = user_data;
  static const float kValues[3] = {1, 2, 3};
  float got[3];
  for (int i = 0; i < kCalls; ++i) {
    bg_tensor *y = NULL, *gradient = NULL;
    count(of, bg_tensor_copy_from(of->tensor, kValues, sizeof kValues));
    count(of, bg_tensor_copy_to(of->tensor, got, sizeof got));
    count(of, bg_relu(of->context, of->tensor, &y));
    count(of, bg_tensor_gradient(of->tensor, &gradient));
    bg_tensor_free(y);
    bg_tensor_free(gradient);
  }
  return NULL;
}

static void one_tensor_and_one_context(void) {
  work all[kThreads] = {{0}};
  int done = 0;
  bg_context* context = tiny_context();
  bg_tensor* tensor = tiny_tensor(context, 3, 0, NULL);
  for (int i = 0; i < kThreads; ++i) {
    all[i].context = context;
    all[i].tensor = tensor;
  }
  run_all(uses_one_tensor, all);
  for (int i = 0; i < kThreads; ++i) {
    CHECK(all[i].other == 0);
    done += all[i].done;
  }
  CHECK(done > 0);
  bg_tensor_free(tensor);
  bg_context_free(context);
}

/* A step callback that waits until another thread has tried: whoever fits is inside the call for sure. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int fitting, tried;

static int32_t waits(void* user_data, const bg_step* step) {
  (void)user_data;
  (void)step;
  pthread_mutex_lock(&lock);
  fitting = 1;
  pthread_cond_broadcast(&changed);
  while (!tried) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  return 0;
}

static void* fits(void* user_data) {
  work* of = user_data;
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .step = waits};
  count(of, bg_trainer_fit(of->trainer, &callbacks, NULL));
  return NULL;
}

static void a_model_in_training(void) {
  work of = {.model = tiny_model()};
  int32_t number = 0;
  bg_model* copy = NULL;
  pthread_t thread;
  of.trainer = tiny_trainer(of.model, NULL, BG_EXISTING_REFUSE);
  CHECK(pthread_create(&thread, NULL, fits, &of) == 0);
  pthread_mutex_lock(&lock);
  while (!fitting) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_parameter_count", bg_model_parameter_count(of.model, &number));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_create_copy", bg_model_create_copy(of.model, &copy));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_trainer_fit", bg_trainer_fit(of.trainer, NULL, NULL));
  CHECK(number == 0 && copy == NULL);
  pthread_mutex_lock(&lock);
  tried = 1;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  pthread_join(thread, NULL);
  CHECK(of.done == 1);
  CHECK_OK(bg_model_parameter_count(of.model, &number)); /* free again */
  bg_trainer_free(of.trainer);
  bg_model_free(of.model);
}

/* A leaf that another thread reads while backward is to write it. */
static void* reads_gradients(void* user_data) {
  work* of = user_data;
  for (int i = 0; i < kCalls || (of->done == 0 && i < kMostCalls); ++i) {
    bg_tensor* gradient = NULL;
    count(of, bg_tensor_gradient(of->tensor, &gradient));
    bg_tensor_free(gradient);
    count(of, bg_tensor_clear_gradient(of->tensor));
  }
  return NULL;
}

static void a_leaf_and_backward(void) {
  work of = {.context = tiny_context()}, walking = {0};
  pthread_t thread;
  of.tensor = tiny_tensor(of.context, 3, 0, NULL);
  CHECK_OK(bg_tensor_set_requires_grad(of.tensor, 1));
  CHECK(pthread_create(&thread, NULL, reads_gradients, &of) == 0);
  for (int i = 0; i < kCalls || (walking.done == 0 && i < kMostCalls); ++i) {
    bg_tensor* loss = NULL;
    const bg_status status = bg_sum(of.context, of.tensor, &loss);
    count(&walking, status);
    if (status == BG_STATUS_OK) count(&walking, bg_backward(of.context, loss));
    bg_tensor_free(loss);
  }
  pthread_join(thread, NULL);
  CHECK(of.other == 0 && walking.other == 0 && walking.done > 0 && of.done > 0);
  bg_tensor_free(of.tensor);
  bg_context_free(of.context);
}

/* Ops with autograd on handles of the thread's own: sum of relu(x)^2, its gradient. */
static void* computes(void* user_data) {
  work* of = user_data;
  float values[64], got[64];
  bg_context* context = NULL;
  bg_tensor* x = NULL;
  const int64_t dims[1] = {64};
  of->sum = 0;
  count(of, bg_context_create("cpu", &context));
  for (int i = 0; i < 64; ++i) values[i] = (float)(i - 20 + of->index);
  count(of, bg_tensor_create(context, BG_FLOAT32, 1, dims, values, &x));
  count(of, bg_tensor_set_requires_grad(x, 1));
  for (int i = 0; i < 20; ++i) {
    bg_tensor *relu = NULL, *square = NULL, *loss = NULL, *gradient = NULL;
    count(of, bg_relu(context, x, &relu));
    count(of, bg_mul(context, relu, relu, &square));
    count(of, bg_sum(context, square, &loss));
    count(of, bg_backward(context, loss));
    count(of, bg_tensor_gradient(x, &gradient));
    count(of, bg_tensor_copy_to(gradient, got, sizeof got));
    for (int k = 0; k < 64; ++k) of->sum += got[k];
    bg_tensor_free(relu);
    bg_tensor_free(square);
    bg_tensor_free(loss);
    bg_tensor_free(gradient);
  }
  bg_tensor_free(x);
  bg_context_free(context);
  return NULL;
}

static void different_tensors(void) {
  work together[kThreads] = {{0}}, alone[kThreads] = {{0}};
  run_all(computes, together);
  for (int i = 0; i < kThreads; ++i) {
    alone[i].index = i;
    computes(&alone[i]);
    CHECK(together[i].busy == 0 && together[i].other == 0);
    CHECK(together[i].sum == alone[i].sum && alone[i].sum > 0);
  }
}

static const char* model_path(const char* how, int index) {
  char name[64];
  snprintf(name, sizeof name, "%s_%d.safetensors", how, index);
  return check_path(name);
}

static void* trains(void* user_data) {
  work* of = user_data;
  count(of, bg_trainer_fit(of->trainer, NULL, NULL));
  return NULL;
}

static bg_model* seeded_model(int index) {
  bg_config* config = tiny_config();
  bg_model* model = NULL;
  char seed[8];
  snprintf(seed, sizeof seed, "%d", index + 1);
  CHECK_OK(bg_config_set(config, "training.seed", seed));
  CHECK_OK(bg_model_create(config, "cpu", &model));
  bg_config_free(config);
  return model;
}

static void different_models(void) {
  work together[kThreads] = {{0}};
  for (int i = 0; i < kThreads; ++i) {
    together[i].model = seeded_model(i);
    together[i].trainer = tiny_trainer(together[i].model, model_path("together", i), BG_EXISTING_REFUSE);
  }
  run_all(trains, together);
  for (int i = 0; i < kThreads; ++i) {
    const char* output = model_path("alone", i);
    bg_model* model = seeded_model(i);
    bg_trainer* trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE);
    CHECK(together[i].done == 1);
    CHECK_OK(bg_trainer_fit(trainer, NULL, NULL));
    CHECK_SAME_FILE(output, model_path("together", i));
    bg_trainer_free(trainer);
    bg_model_free(model);
    bg_trainer_free(together[i].trainer);
    bg_model_free(together[i].model);
  }
}

static void* fails_in_its_way(void* user_data) {
  work* of = user_data;
  char device[32];
  bg_context* context = NULL;
  for (int i = 0; i < kCalls; ++i) {
    snprintf(device, sizeof device, "device%d", of->index);
    of->busy += bg_context_create(device, &context) == BG_STATUS_OK;
    of->other += strstr(bg_last_error_message(), device) == NULL;
  }
  return NULL;
}

static void* has_not_failed(void* user_data) {
  work* of = user_data;
  strncpy(of->message, bg_last_error_message(), sizeof of->message - 1);
  return NULL;
}

static void messages(void) {
  work all[kThreads] = {{0}}, fresh = {.message = "?"};
  pthread_t thread;
  run_all(fails_in_its_way, all);
  for (int i = 0; i < kThreads; ++i) CHECK(all[i].busy == 0 && all[i].other == 0);
  CHECK(pthread_create(&thread, NULL, has_not_failed, &fresh) == 0);
  pthread_join(thread, NULL);
  CHECK(strcmp(fresh.message, "") == 0);
}

/* An alias may be read while another thread has the tensor. */
static void aliases(void) {
  work all[kThreads] = {{0}};
  bg_context* context = tiny_context();
  bg_tensor* tensor = tiny_tensor(context, 3, 0, NULL);
  for (int i = 0; i < kThreads; ++i) {
    CHECK_OK(bg_tensor_create_alias(tensor, &all[i].tensor));
    CHECK_OK(bg_context_create("cpu", &all[i].context));
    all[i].index = i;
  }
  run_all(reads_gradients, all);
  for (int i = 0; i < kThreads; ++i) {
    CHECK(all[i].busy == 0 && all[i].other == 0);
    bg_tensor_free(all[i].tensor);
    bg_context_free(all[i].context);
  }
  bg_tensor_free(tensor);
  bg_context_free(context);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(one_tensor_and_one_context);
  RUN(a_model_in_training);
  RUN(a_leaf_and_backward);
  RUN(aliases);
  RUN(different_tensors);
  RUN(different_models);
  RUN(messages);
  return check_finish();
}
