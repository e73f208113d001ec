/* What callbacks may do: stop a training, which then goes on as if nothing had been; call back; free the handle. */
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

/* What an uninterrupted fit writes: made once. */
static const char *whole, *whole_best;
static void uninterrupted(void) {
  bg_model* model = tiny_model();
  bg_trainer* trainer = NULL;
  whole = check_path("whole.safetensors");
  whole_best = check_path("whole.best.safetensors");
  trainer = tiny_trainer(model, whole, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(trainer, NULL, NULL));
  CHECK_OK(bg_model_save(model, check_path("whole_model.safetensors")));
  bg_trainer_free(trainer);
  bg_model_free(model);
}

typedef struct stops {
  int64_t step, epoch; /* where to stop; 0: nowhere */
  int steps, epochs, evaluating;
  bg_step last;
} stops;

static int32_t on_step(void* user_data, const bg_step* step) {
  stops* at = user_data;
  CHECK(step->struct_size == sizeof *step && step->epochs == 3 && step->steps == TINY_TRAIN / TINY_BATCH);
  CHECK(step->all_steps == 3 * TINY_TRAIN / TINY_BATCH && step->total_steps <= step->all_steps);
  at->steps += !step->evaluating;
  at->evaluating += step->evaluating;
  at->last = *step;
  return step->total_steps == at->step && !step->evaluating;
}

static int32_t on_epoch(void* user_data, const bg_epoch* epoch) {
  stops* at = user_data;
  CHECK(epoch->struct_size == sizeof *epoch && epoch->test_accuracy >= 0 && epoch->test_accuracy <= 1);
  ++at->epochs;
  return epoch->epoch == at->epoch;
}

static bg_callbacks callbacks_of(stops* at) {
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .step = on_step, .epoch = on_epoch, .user_data = at};
  return callbacks;
}

/* Stops there, goes on with the same trainer, and compares all that is left behind. */
static void stopped_at(const char* name, const char* best, stops at) {
  const char* output = check_path(name);
  const bg_callbacks callbacks = callbacks_of(&at);
  bg_train_result result = {.struct_size = sizeof result};
  bg_model* model = tiny_model();
  bg_trainer* trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE);
  CHECK_STATUS(BG_STATUS_CANCELLED, "stopped", bg_trainer_fit(trainer, &callbacks, &result));
  CHECK(at.epoch == 0 || at.epochs == at.epoch);
  CHECK(at.step == 0 || at.last.total_steps == at.step);
  at.step = at.epoch = 0;
  CHECK_OK(bg_trainer_fit(trainer, &callbacks, &result));
  CHECK(at.steps == 3 * TINY_TRAIN / TINY_BATCH && at.epochs == 3 && at.evaluating > 0);
  CHECK_SAME_FILE(whole, output);
  CHECK_SAME_FILE(whole_best, check_path(best));
  bg_trainer_free(trainer);
  bg_model_free(model);
}

static void stopped_by_a_step(void) {
  const stops at = {.step = 8};
  stopped_at("step.safetensors", "step.best.safetensors", at);
}

static void stopped_by_an_epoch(void) {
  const stops at = {.epoch = 2};
  stopped_at("epoch.safetensors", "epoch.best.safetensors", at);
}

static void stopped_without_files(void) {
  stops at = {.step = 3};
  const bg_callbacks callbacks = callbacks_of(&at);
  bg_model* model = tiny_model();
  bg_trainer* trainer = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  CHECK_STATUS(BG_STATUS_CANCELLED, "stopped", bg_trainer_fit(trainer, &callbacks, NULL));
  at.step = 0;
  CHECK_OK(bg_trainer_fit(trainer, &callbacks, NULL));
  CHECK_OK(bg_model_save(model, check_path("resumed_model.safetensors")));
  CHECK_SAME_FILE(check_path("whole_model.safetensors"), check_path("resumed_model.safetensors"));
  bg_trainer_free(trainer);
  bg_model_free(model);
}

static void stopped_and_resumed_by_another(void) {
  const char* output = check_path("other.safetensors");
  stops at = {.step = 10};
  const bg_callbacks callbacks = callbacks_of(&at);
  bg_model* model = tiny_model();
  bg_trainer *trainer = tiny_trainer(model, output, BG_EXISTING_REFUSE), *second = NULL;
  const bg_trainer_options options = {sizeof options, BG_EXISTING_RESUME, output};
  bg_dataset* data = tiny_dataset(32, 1);
  CHECK_STATUS(BG_STATUS_CANCELLED, "stopped", bg_trainer_fit(trainer, &callbacks, NULL));
  CHECK_STATUS(BG_STATUS_UNAVAILABLE, "other", bg_trainer_create(model, data, data, &options, &second));
  bg_dataset_free(data);
  bg_trainer_free(trainer);
  bg_model_free(model);
  model = tiny_model();
  trainer = tiny_trainer(model, output, BG_EXISTING_RESUME);
  CHECK_OK(bg_trainer_fit(trainer, NULL, NULL));
  CHECK_SAME_FILE(whole, output);
  bg_trainer_free(trainer);
  bg_model_free(model);
}

/* Handles that the callbacks below misuse. */
typedef struct victims {
  bg_model* model;
  bg_trainer* trainer;
  bg_dataset* dataset;
  bg_context* context;
  bg_tensor *images, *labels;
  int calls;
} victims;

static int32_t calls_back(void* user_data, const bg_step* step) {
  victims* of = user_data;
  int32_t number = 0, classes[4];
  bg_trainer* trainer = NULL;
  bg_model* copy = NULL;
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  float value = 0;
  bg_tensor* y = NULL;
  if (of->calls++ > 0) return 0;
  (void)step;
  CHECK_STATUS(BG_STATUS_BUSY, "bg_trainer_fit", bg_trainer_fit(of->trainer, NULL, NULL));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_trainer_step", bg_trainer_step(of->trainer, of->images, of->labels, 1, NULL));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_freeze", bg_model_freeze(of->model, NULL));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_save", bg_model_save(of->model, check_path("busy")));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_is_frozen", bg_model_is_frozen(of->model, &number));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_create_copy", bg_model_create_copy(of->model, &copy));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_predict", bg_model_predict(of->model, of->images, classes));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_model_evaluate", bg_model_evaluate(of->model, of->dataset, NULL, NULL, &evaluation));
  CHECK_STATUS(BG_STATUS_BUSY, "bg_trainer_create_stepper", bg_trainer_create_stepper(of->model, &trainer));
  CHECK(trainer == NULL && copy == NULL && evaluation.images == 0);
  CHECK_OK(bg_tensor_rank(of->images, &number)); /* other handles are free */
  y = tiny_tensor(of->context, 1, 0, &value);
  bg_tensor_free(y);
  return 0;
}

static void callbacks_that_call_back(void) {
  victims of = {.model = tiny_model(), .dataset = tiny_dataset(8, 1), .context = tiny_context()};
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .step = calls_back, .user_data = &of};
  const char* output = check_path("back.safetensors");
  int32_t frozen = -1;
  tiny_batch(of.context, 4, 1, &of.images, &of.labels);
  of.trainer = tiny_trainer(of.model, output, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(of.trainer, &callbacks, NULL));
  CHECK(of.calls > 3 * TINY_TRAIN / TINY_BATCH);
  CHECK_SAME_FILE(whole, output);
  CHECK_OK(bg_model_is_frozen(of.model, &frozen)); /* free again */
  bg_trainer_free(of.trainer);
  bg_model_free(of.model);
  bg_dataset_free(of.dataset);
  bg_tensor_free(of.images);
  bg_tensor_free(of.labels);
  bg_context_free(of.context);
}

static int32_t frees(void* user_data, const bg_step* step) {
  victims* of = user_data;
  (void)step;
  bg_trainer_free(of->trainer);
  bg_model_free(of->model);
  of->trainer = NULL;
  of->model = NULL;
  return 0;
}

static int32_t frees_while_evaluating(void* user_data, int64_t images) {
  victims* of = user_data;
  (void)images;
  bg_model_free(of->model);
  bg_dataset_free(of->dataset);
  of->model = NULL;
  of->dataset = NULL;
  return 0;
}

static void callbacks_that_free(void) {
  const char* output = check_path("freed.safetensors");
  victims of = {.model = tiny_model(), .dataset = tiny_dataset(70, 1)};
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .step = frees, .user_data = &of};
  bg_evaluation evaluation = {.struct_size = sizeof evaluation};
  of.trainer = tiny_trainer(of.model, output, BG_EXISTING_REFUSE);
  CHECK_OK(bg_trainer_fit(of.trainer, &callbacks, NULL));
  CHECK(of.trainer == NULL);
  CHECK_SAME_FILE(whole, output);
  of.model = tiny_stepped_model();
  CHECK_OK(bg_model_evaluate(of.model, of.dataset, frees_while_evaluating, &of, &evaluation));
  CHECK(evaluation.images == 70 && of.model == NULL);
}

static int32_t stops_evaluating(void* user_data, int64_t images) {
  *(int64_t*)user_data = images;
  return images >= 64 ? -1 : 0;
}

static void evaluation_that_is_stopped(void) {
  bg_model* model = tiny_stepped_model();
  bg_dataset* dataset = tiny_dataset(96, 1);
  bg_evaluation evaluation = {.struct_size = sizeof evaluation, .images = -7};
  int64_t seen = 0;
  CHECK_STATUS(BG_STATUS_CANCELLED, "", bg_model_evaluate(model, dataset, stops_evaluating, &seen, &evaluation));
  CHECK(seen == 64 && evaluation.images == -7);
  CHECK_OK(bg_model_evaluate(model, dataset, NULL, NULL, &evaluation));
  CHECK(evaluation.images == 96);
  bg_dataset_free(dataset);
  bg_model_free(model);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  uninterrupted();
  RUN(stopped_by_a_step);
  RUN(stopped_by_an_epoch);
  RUN(stopped_without_files);
  RUN(stopped_and_resumed_by_another);
  RUN(callbacks_that_call_back);
  RUN(callbacks_that_free);
  RUN(evaluation_that_is_stopped);
  return check_finish();
}
