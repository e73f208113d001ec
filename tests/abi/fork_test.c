/* Children: of a program that has used the library, which must not use it; and of one that has not, which may. */
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static bg_context* context;
static bg_model* model;
static bg_trainer* trainer;
static bg_tensor *images, *labels;
static bg_config* config;
static bg_dataset* dataset;
static bg_graph* graph;
static bg_graph_builder* builder;
static bg_bit_report* bits;

/* Runs `body` in a child; what it returns is its exit status, or -1 if it did not end by itself. `leave`: exit() or
 * _exit(). */
static int in_a_child(int (*body)(void), void (*leave)(int)) {
  int status = 0;
  const pid_t child = fork();
  if (child == 0) {
    alarm(20); /* a child that hangs is one that failed */
    leave(body());
  }
  if (!CHECK(child > 0) || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int trains_and_computes(void) {
  bg_model* own = tiny_model();
  bg_trainer* run = tiny_trainer(own, NULL, BG_EXISTING_REFUSE);
  bg_context* place = tiny_context();
  const float values[2] = {1, 2};
  bg_tensor *x = tiny_tensor(place, 2, 0, values), *y = NULL;
  const int good = bg_trainer_fit(run, NULL, NULL) == BG_STATUS_OK && bg_sum(place, x, &y) == BG_STATUS_OK;
  bg_tensor_free(x);
  bg_tensor_free(y);
  bg_context_free(place);
  bg_trainer_free(run);
  bg_model_free(own);
  return good ? 0 : 1;
}

static void before_the_first_use(void) {
  CHECK(bg_abi_version() == BG_ABI_VERSION); /* asks for nothing */
  CHECK(bg_version()[0] != 0 && bg_last_error_message()[0] == 0);
  CHECK(in_a_child(trains_and_computes, _exit) == 0);
}

static int is_refused(bg_status status) {
  return status == BG_STATUS_FORKED && strstr(bg_last_error_message(), "forked") != NULL ? 0 : 1;
}

static int every_handle_is_refused(void) {
  int wrong = 0;
  int32_t number = 0;
  int64_t size = 0;
  const char* text = NULL;
  bg_tensor* tensor = NULL;
  bg_context* other = NULL;
  bg_model* copy = NULL;
  bg_graph* made = NULL;
  wrong += is_refused(bg_check_abi(BG_ABI_VERSION));
  wrong += is_refused(bg_get_threads(&number));
  wrong += is_refused(bg_set_threads(2));
  wrong += is_refused(bg_context_create("cpu", &other));
  wrong += is_refused(bg_context_device(context, &text));
  wrong += is_refused(bg_sum(context, images, &tensor));
  wrong += is_refused(bg_tensor_size(images, &size));
  wrong += is_refused(bg_model_create_copy(model, &copy));
  wrong += is_refused(bg_trainer_fit(trainer, NULL, NULL));
  wrong += is_refused(bg_trainer_step(trainer, images, labels, 1, NULL));
  wrong += is_refused(bg_config_text(config, &text));
  wrong += is_refused(bg_dataset_size(dataset, &size));
  wrong += is_refused(bg_graph_text(graph, &text));
  wrong += is_refused(bg_graph_builder_build(builder, &made));
  wrong += is_refused(bg_bit_report_text(bits, &text));
  wrong += bg_abi_version() != BG_ABI_VERSION;
  wrong += strcmp(bg_status_name(BG_STATUS_FORKED), "BG_STATUS_FORKED") != 0;
  wrong += text != NULL || tensor != NULL || other != NULL || copy != NULL || made != NULL || number != 0 || size != 0;
  return wrong;
}

static int frees_everything(void) {
  bg_trainer_free(trainer);
  bg_model_free(model);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_context_free(context);
  bg_config_free(config);
  bg_dataset_free(dataset);
  bg_graph_free(graph);
  bg_graph_builder_free(builder);
  bg_bit_report_free(bits);
  bg_model_free(NULL);
  return 0;
}

static int forks_again(void) { return in_a_child(every_handle_is_refused, _exit); }

static int becomes_another_program(void) {
  execl("/bin/true", "true", (char*)NULL);
  return 1;
}

static int32_t forks(void* user_data, const bg_step* step) {
  if (step->total_steps == 2 && !step->evaluating) *(int*)user_data = in_a_child(every_handle_is_refused, _exit);
  return 0;
}

static void after_it(void) {
  int inside = -1;
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .step = forks, .user_data = &inside};
  const int64_t dims[1] = {4};
  context = tiny_context();
  model = tiny_model();
  config = tiny_config();
  dataset = tiny_dataset(4, 1);
  trainer = tiny_trainer(model, check_path("run.safetensors"), BG_EXISTING_REFUSE);
  tiny_batch(context, 4, 1, &images, &labels);
  CHECK_OK(bg_graph_create_from_zoo("lenet5", &graph));
  CHECK_OK(bg_graph_builder_create("n", &builder));
  CHECK_OK(bg_graph_builder_input(builder, NULL, 1, dims, NULL));
  CHECK_OK(bg_model_bits(model, &bits));
  CHECK(in_a_child(every_handle_is_refused, _exit) == 0);
  CHECK(in_a_child(frees_everything, _exit) == 0);
  CHECK(in_a_child(forks_again, _exit) == 0);
  CHECK(in_a_child(becomes_another_program, _exit) == 0);
  CHECK_OK(bg_trainer_fit(trainer, &callbacks, NULL)); /* in the middle of it, with OpenMP's threads about */
  CHECK(inside == 0);
  CHECK(in_a_child(frees_everything, _exit) == 0);
  CHECK(in_a_child(every_handle_is_refused, exit) == 0); /* with all that a program does as it ends */
  CHECK_OK(bg_trainer_fit(trainer, NULL, NULL));         /* the parent goes on */
  frees_everything();
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(before_the_first_use);
  RUN(after_it);
  return check_finish();
}
