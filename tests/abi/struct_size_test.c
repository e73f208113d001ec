/* Structs of programs compiled against an older or a newer header, and structs whose size was forgotten. */
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

/* A struct with more behind it than this header knows, in memory of exactly that size. */
enum { kMore = 16 };
static void* longer(const void* known, size_t size) {
  char* bytes = calloc(1, size + kMore);
  const uint32_t all = (uint32_t)(size + kMore);
  memcpy(bytes, known, size);
  memcpy(bytes, &all, sizeof all);
  return bytes;
}

/* The least struct_size that a struct is taken with. */
enum {
#define BG_FIRST_SIZE(type, size) first_##type = size,
#include "api/c/first_sizes.inc"
#undef BG_FIRST_SIZE
};

/* Of a struct that is read: nothing said, one byte short, longer with zeros, longer with something. `given` is what the
 * call names it. */
#define READ(type, values, given, call)             \
  do {                                              \
    const type known = values;                      \
    type changed = known;                           \
    const type* given = &changed;                   \
    type* more = NULL;                              \
    changed.struct_size = 0;                        \
    CHECK_INVALID("struct_size of at least", call); \
    changed.struct_size = first_##type - 1;         \
    CHECK_INVALID("struct_size of at least", call); \
    given = more = longer(&known, sizeof(type));    \
    CHECK_OK(call);                                 \
    ((char*)more)[sizeof(type) + kMore - 1] = 1;    \
    CHECK_INVALID("to be 0 past", call);            \
    free(more);                                     \
  } while (0)

/* Of a struct that is written: likewise; what is behind stays, and so does struct_size. */
#define WRITTEN(type, given, call)                                                              \
  do {                                                                                          \
    type known;                                                                                 \
    type* given = &known;                                                                       \
    char* more = NULL;                                                                          \
    memset(&known, 0x5a, sizeof known);                                                         \
    known.struct_size = 0;                                                                      \
    CHECK_INVALID("struct_size of at least", call);                                             \
    known.struct_size = first_##type - 1;                                                       \
    CHECK_INVALID("struct_size of at least", call);                                             \
    for (size_t i = sizeof(uint32_t); i < sizeof(type); ++i) CHECK(((char*)&known)[i] == 0x5a); \
    given = longer(&known, sizeof(type));                                                       \
    more = (char*)given;                                                                        \
    more[sizeof(type)] = 7;                                                                     \
    CHECK_OK(call);                                                                             \
    CHECK(given->struct_size == sizeof(type) + kMore && more[sizeof(type)] == 7);               \
    free(more);                                                                                 \
  } while (0)

static void parameters_of_ops(void) {
  const bg_conv2d_params conv = {.struct_size = sizeof conv};
  const bg_pool2d_params pool = {.struct_size = sizeof pool};
  const bg_batch_norm_params norm = {.struct_size = sizeof norm};
  const bg_folded_norm_params folded = {.struct_size = sizeof folded};
  const bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.1, .step = 1};
  const bg_sgd_params sgd = {.struct_size = sizeof sgd, .learning_rate = 0.1};
  const bg_fixed_quantizer fixed = {sizeof fixed, 0, 0.5f, 0, 3, 0, 1.5f, 2};
  const int64_t dims[4] = {1, 2, 2, 1};
  bg_context* context = tiny_context();
  bg_tensor *image = NULL, *y = NULL, *one = tiny_tensor(context, 1, 0, NULL), *p = tiny_tensor(context, 4, 0, NULL);
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, NULL, &image));
  READ(bg_conv2d_params, conv, given, bg_conv2d(context, image, image, NULL, given, &y));
  bg_tensor_free(y);
  READ(bg_pool2d_params, pool, given, bg_max_pool2d(context, image, given, &y));
  bg_tensor_free(y);
  READ(bg_pool2d_params, pool, given, bg_average_pool2d(context, image, given, &y));
  bg_tensor_free(y);
  READ(bg_batch_norm_params, norm, given, bg_batch_norm(context, image, one, one, one, one, given, &y));
  bg_tensor_free(y);
  READ(bg_folded_norm_params, folded, given,
       bg_folded_batch_norm_of_result(context, image, one, one, NULL, one, one, given, &y));
  bg_tensor_free(y);
  READ(bg_adam_params, adam, given, bg_adam_step(context, p, p, p, p, given));
  READ(bg_sgd_params, sgd, given, bg_sgd_step(context, p, p, NULL, given));
  READ(bg_fixed_quantizer, fixed, given, bg_fixed_quantize(context, p, one, NULL, given, &y));
  bg_tensor_free(y);
  bg_tensor_free(image);
  bg_tensor_free(one);
  bg_tensor_free(p);
  bg_context_free(context);
}

/* An array of structs: as far apart as the first says. */
static void arrays(void) {
  const bg_gate_site site = {.struct_size = sizeof site, .level = {BG_GATE_OPEN, 0, 0, 0}, .cost = {1, 0, 0, 0, 0}};
  enum { kStride = sizeof(bg_gate_site) + kMore };
  char* sites = calloc(2, kStride);
  bg_gate_site* second = (bg_gate_site*)(sites + kStride);
  bg_context* context = tiny_context();
  bg_tensor *phi = tiny_tensor(context, 1, 0, NULL), *y = NULL;
  float value = 0;
  READ(bg_gate_site, site, given, bg_gate_penalty(context, phi, 1, given, 1, &y));
  bg_tensor_free(y);
  READ(bg_gate_site, site, given, bg_gates(context, phi, NULL, BG_GATES_THRESHOLD, given, 1, &y));
  bg_tensor_free(y);
  for (int i = 0; i < 2; ++i) {
    const uint32_t size = kStride;
    memcpy(sites + i * kStride, &site, sizeof site);
    memcpy(sites + i * kStride, &size, sizeof size);
  }
  second->cost[1] = 9; /* of a gate that is open */
  y = NULL;
  CHECK_OK(bg_gate_penalty(context, phi, 1, (bg_gate_site*)sites, 2, &y));
  CHECK_OK(bg_tensor_copy_to(y, &value, sizeof value));
  CHECK(value == 11);
  bg_tensor_free(y);
  y = NULL;
  second->struct_size = UINT32_MAX; /* one that claims what is not there */
  CHECK_INVALID("struct_size", bg_gate_penalty(context, phi, 1, (bg_gate_site*)sites, 2, &y));
  ((bg_gate_site*)sites)->struct_size = sizeof(bg_gate_site) + 3; /* the second would lie askew */
  CHECK_INVALID("struct_size", bg_gate_penalty(context, phi, 1, (bg_gate_site*)sites, 2, &y));
  CHECK(y == NULL);
  free(sites);
  bg_tensor_free(phi);
  bg_context_free(context);
}

static void options(void) {
  const int64_t dims[1] = {4};
  const bg_preprocessing preprocessing = {.struct_size = sizeof preprocessing};
  const bg_trainer_options trainer_options = {.struct_size = sizeof trainer_options};
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks};
  bg_graph_builder* builder = NULL;
  bg_dataset* data = tiny_dataset(32, 1);
  bg_model* model = tiny_model();
  bg_trainer* trainer = NULL;
  bg_trainer_options wrong = trainer_options;
  CHECK_OK(bg_graph_builder_create("n", &builder));
  READ(bg_preprocessing, preprocessing, given, bg_graph_builder_input(builder, NULL, 1, dims, given));
  bg_graph_builder_free(builder);
  READ(bg_trainer_options, trainer_options, given, bg_trainer_create(model, data, data, given, &trainer));
  wrong.existing = 3;
  CHECK_INVALID("bg_existing", bg_trainer_create(model, data, data, &wrong, &trainer));
  READ(bg_callbacks, callbacks, given, bg_trainer_fit(trainer, given, NULL));
  bg_trainer_free(trainer);
  bg_model_free(model);
  bg_dataset_free(data);
}

static void results(void) {
  bg_context* context = tiny_context();
  bg_model* model = tiny_stepped_model();
  bg_dataset* data = tiny_dataset(32, 1);
  bg_trainer *stepper = NULL, *trainer = NULL;
  bg_bit_report* bits = NULL;
  bg_freeze_report* frozen = NULL;
  bg_requantize_report* requantized = NULL;
  bg_tensor *images = NULL, *labels = NULL;
  tiny_batch(context, 8, 1, &images, &labels);
  CHECK_OK(bg_trainer_create_stepper(model, &stepper));
  WRITTEN(bg_step_result, given, bg_trainer_step(stepper, images, labels, 1, given));
  bg_trainer_free(stepper);
  trainer = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  WRITTEN(bg_train_result, given, bg_trainer_fit(trainer, NULL, given));
  bg_trainer_free(trainer);
  bg_model_free(model);
  model = tiny_stepped_model();
  WRITTEN(bg_evaluation, given, bg_model_evaluate(model, data, NULL, NULL, given));
  CHECK_OK(bg_model_bits(model, &bits));
  WRITTEN(bg_bit_totals, given, bg_bit_report_totals(bits, given));
  WRITTEN(bg_bit_row, given, bg_bit_report_row(bits, 0, given));
  CHECK_OK(bg_model_freeze(model, &frozen));
  WRITTEN(bg_frozen_site, given, bg_freeze_report_site(frozen, 0, given));
  bg_freeze_report_free(frozen);
  bg_bit_report_free(bits);
  bg_model_free(model);
  model = tiny_bsq_model();
  CHECK_OK(bg_model_requantize(model, &requantized));
  WRITTEN(bg_requantized_tensor, given, bg_requantize_report_tensor(requantized, 0, given));
  bg_requantize_report_free(requantized);
  bg_tensor_free(images);
  bg_tensor_free(labels);
  bg_dataset_free(data);
  bg_model_free(model);
  bg_context_free(context);
}

/* What is said to be 0 is kept for later, and cannot be told from it if it is let through now. */
static void reserved_fields(void) {
  const bg_pool2d_params pool = {.struct_size = sizeof pool, .reserved = 1};
  const bg_adam_params adam = {.struct_size = sizeof adam, .reserved = 1, .learning_rate = 0.1, .step = 1};
  const bg_gate_site site = {.struct_size = sizeof site, .reserved = 1};
  const bg_callbacks callbacks = {.struct_size = sizeof callbacks, .reserved = 1};
  const int64_t dims[4] = {1, 2, 2, 1};
  bg_context* context = tiny_context();
  bg_model* model = tiny_model();
  bg_trainer* trainer = tiny_trainer(model, NULL, BG_EXISTING_REFUSE);
  bg_tensor *image = NULL, *y = NULL, *p = tiny_tensor(context, 4, 0, NULL);
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, NULL, &image));
  CHECK_INVALID("reserved", bg_max_pool2d(context, image, &pool, &y));
  CHECK_INVALID("reserved", bg_adam_step(context, p, p, p, p, &adam));
  CHECK_INVALID("reserved", bg_gate_penalty(context, p, 1, &site, 1, &y));
  CHECK_INVALID("reserved", bg_trainer_fit(trainer, &callbacks, NULL));
  bg_tensor_free(image);
  bg_tensor_free(p);
  bg_trainer_free(trainer);
  bg_model_free(model);
  bg_context_free(context);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(parameters_of_ops);
  RUN(arrays);
  RUN(options);
  RUN(results);
  RUN(reserved_fields);
  return check_finish();
}
