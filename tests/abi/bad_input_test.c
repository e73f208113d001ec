/* Values that are wrong: a status that says so, nothing written, nothing broken. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static bg_context* context;
static bg_tensor* none; /* what no failing call may write to */

#define REFUSED(part, call)                                                                       \
  do {                                                                                            \
    CHECK_INVALID(part, call);                                                                    \
    if (none != NULL) check_fail(__FILE__, __LINE__, #call ": wrote to its output"), none = NULL; \
  } while (0)

static bg_tensor* tensor_of(bg_dtype dtype, int32_t rank, const int64_t* dims) {
  bg_tensor* tensor = NULL;
  CHECK_OK(bg_tensor_create(context, dtype, rank, dims, NULL, &tensor));
  return tensor;
}
#define TENSOR(dtype, ...) \
  tensor_of(dtype, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (const int64_t[]){__VA_ARGS__})
#define FLOATS(...) TENSOR(BG_FLOAT32, __VA_ARGS__)

static void sizes_of_tensors(void) {
  const int64_t negative[2] = {2, -1}, product[2] = {INT64_C(1) << 31, INT64_C(1) << 33};
  const int64_t huge[2] = {INT64_C(1) << 30, INT64_C(1) << 30}, most[1] = {INT64_MAX};
  const int64_t seven[7] = {1, 1, 1, 1, 1, 1, 1}, empty[3] = {0, INT64_C(1) << 40, 3};
  const float byte = 0;
  float values[4] = {0, 0, 0, 0};
  int64_t size = -1, dims[2] = {-5, -5};
  bg_tensor* tensor = NULL;
  REFUSED("-1", bg_tensor_create(context, BG_FLOAT32, 2, negative, NULL, &none));
  REFUSED("rank", bg_tensor_create(context, BG_FLOAT32, 7, seven, NULL, &none));
  REFUSED("rank", bg_tensor_create(context, BG_FLOAT32, -1, seven, NULL, &none));
  REFUSED("elements", bg_tensor_create(context, BG_FLOAT32, 2, product, NULL, &none));
  REFUSED("elements", bg_tensor_create(context, BG_UINT8, 1, most, NULL, &none));
  /* `data` is far too short for it: there must be no memory before there is a copy. */
  CHECK_STATUS(BG_STATUS_RESOURCE_EXHAUSTED, "", bg_tensor_create(context, BG_FLOAT32, 2, huge, &byte, &none));
  CHECK(none == NULL);
  for (int bit = 50; bit < 63; ++bit) { /* where bytes overflow and elements do not, too */
    const int64_t large[1] = {INT64_C(1) << bit};
    CHECK(bg_tensor_create(context, BG_FLOAT32, 1, large, NULL, &none) != BG_STATUS_OK);
    CHECK(bg_tensor_create(context, BG_UINT8, 1, large, NULL, &none) != BG_STATUS_OK);
    CHECK(bg_uniform_noise(context, 1, 1, 1, large[0], &none) != BG_STATUS_OK);
    CHECK(none == NULL);
  }
  REFUSED("-3", bg_uniform_noise(context, 1, 1, 1, -3, &none));
  tensor = tensor_of(BG_FLOAT32, 3, empty);
  CHECK_OK(bg_tensor_size(tensor, &size));
  CHECK(size == 0);
  CHECK_OK(bg_tensor_copy_to(tensor, NULL, 0));
  bg_tensor_free(tensor);
  tensor = FLOATS(2, 2);
  CHECK_INVALID("16 bytes", bg_tensor_copy_to(tensor, values, 15));
  CHECK_INVALID("17", bg_tensor_copy_from(tensor, values, 17));
  CHECK_INVALID("room for 2", bg_tensor_shape(tensor, 1, dims));
  CHECK_INVALID("got -1", bg_tensor_shape(tensor, -1, dims));
  CHECK(dims[0] == -5);
  bg_tensor_free(tensor);
}

static void numbers_that_are_no_enumerators(void) {
  const int64_t one[1] = {1};
  bg_tensor *x = FLOATS(1, 1), *image = FLOATS(1, 2, 2, 1), *phi = FLOATS(4);
  const bg_conv2d_params params = {.struct_size = sizeof params, .activation = 2};
  const bg_batch_norm_params norm = {.struct_size = sizeof norm, .activation = 2};
  const bg_folded_norm_params folded = {.struct_size = sizeof folded, .activation = -1};
  const bg_gate_site site = {.struct_size = sizeof site};
  REFUSED("bg_dtype", bg_tensor_create(context, (bg_dtype)4, 1, one, NULL, &none));
  REFUSED("bg_dtype", bg_tensor_create(context, (bg_dtype)-1, 1, one, NULL, &none));
  REFUSED("bg_activation", bg_linear(context, x, x, NULL, (bg_activation)7, &none));
  REFUSED("bg_activation", bg_conv2d(context, image, image, NULL, &params, &none));
  REFUSED("bg_activation", bg_batch_norm(context, x, x, x, x, x, &norm, &none));
  REFUSED("bg_activation", bg_folded_batch_norm(context, x, x, x, x, x, &folded, &none));
  REFUSED("bg_activation", bg_folded_batch_norm_of_result(context, x, x, x, NULL, x, x, &folded, &none));
  REFUSED("bg_gate_mode", bg_gates(context, phi, phi, (bg_gate_mode)3, &site, 1, &none));
  bg_tensor_free(x);
  bg_tensor_free(image);
  bg_tensor_free(phi);
}

static void operands(void) {
  bg_tensor *two = FLOATS(2), *three = FLOATS(3), *matrix = FLOATS(2, 3), *image = FLOATS(1, 4, 4, 2);
  bg_tensor* channels = FLOATS(1, 2, 2, 3);
  bg_tensor *integers = TENSOR(BG_INT32, 2), *bytes = TENSOR(BG_UINT8, 2), *empty = FLOATS(0, 3), *scalar = NULL;
  const int64_t six[2] = {2, 4}, wrong[2] = {-2, -3};
  const bg_batch_norm_params norm = {.struct_size = sizeof norm, .momentum = 2};
  const bg_folded_norm_params folded = {.struct_size = sizeof folded, .momentum = -1, .epsilon = -1};
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 0, NULL, NULL, &scalar));
  REFUSED("shape", bg_add(context, two, three, &none));
  REFUSED("int32", bg_add(context, two, integers, &none));
  REFUSED("shape", bg_mul(context, two, three, &none));
  REFUSED("uint8", bg_relu(context, bytes, &none));
  REFUSED("int32", bg_scale(context, integers, 1, &none));
  REFUSED("int32", bg_sum(context, integers, &none));
  REFUSED("at least one", bg_mean(context, empty, &none));
  REFUSED("rank 2", bg_sum_rows(context, two, &none));
  REFUSED("rank 2", bg_mat_mul(context, two, matrix, 0, 0, &none));
  REFUSED("[2, 3]", bg_mat_mul(context, matrix, matrix, 0, 0, &none));
  REFUSED("[2]", bg_linear(context, matrix, matrix, three, BG_ACTIVATION_NONE, &none));
  REFUSED("[2, 3]", bg_reshape(context, matrix, 2, six, &none));
  REFUSED("-2", bg_reshape(context, matrix, 2, wrong, &none));
  REFUSED("rank", bg_reshape(context, matrix, 9, six, &none));
  REFUSED("rank 1", bg_flatten(context, scalar, &none));
  REFUSED("rank 1", bg_slice(context, matrix, 0, 1, &none));
  REFUSED("begin", bg_slice(context, three, 2, 1, &none));
  REFUSED("begin", bg_slice(context, three, -1, 1, &none));
  REFUSED("begin", bg_slice(context, three, 0, INT64_MAX, &none));
  REFUSED("rank 4", bg_conv2d(context, matrix, image, NULL, NULL, &none));
  REFUSED("groups", bg_conv2d(context, image, channels, NULL, NULL, &none));
  REFUSED("bias", bg_conv2d(context, image, image, two, NULL, &none));
  REFUSED("rank 4", bg_max_pool2d(context, matrix, NULL, &none));
  REFUSED("gamma of shape [3]", bg_batch_norm(context, matrix, two, three, three, three, NULL, &none));
  REFUSED("momentum", bg_batch_norm(context, matrix, three, three, three, three, &norm, &none));
  REFUSED("at least one", bg_channel_statistics(context, empty, &none));
  REFUSED("channels of x [2, 3]", bg_pad_channels(context, matrix, 2, &none));
  REFUSED("elements", bg_pad_channels(context, matrix, INT64_MAX, &none));
  REFUSED("gain of shape [2]", bg_scale_rows(context, matrix, three, &none));
  REFUSED("running_variance of shape [3]", bg_folded_gain(context, three, two, 1, &none));
  REFUSED("epsilon above 0", bg_folded_gain(context, three, three, 0, &none));
  REFUSED("beta of shape [3]", bg_folded_shift(context, three, two, three, three, 1, &none));
  REFUSED("statistics of shape [2, 3]", bg_folded_batch_norm(context, matrix, three, three, three, three, NULL, &none));
  REFUSED("epsilon", bg_folded_batch_norm(context, matrix, matrix, three, three, three, &folded, &none));
  REFUSED("gamma of shape [3]",
          bg_folded_batch_norm_of_result(context, matrix, two, three, NULL, three, three, NULL, &none));
  REFUSED("gates of shape [3]",
          bg_folded_batch_norm_of_result(context, matrix, three, three, two, three, three, NULL, &none));
  REFUSED("momentum",
          bg_folded_batch_norm_of_result(context, matrix, three, three, NULL, three, three, &folded, &none));
  REFUSED("at least one",
          bg_folded_batch_norm_of_result(context, empty, three, three, NULL, three, three, NULL, &none));
  CHECK_INVALID("at least one row", bg_update_running_statistics(context, three, three, matrix, 0, 0));
  CHECK_INVALID("statistics of shape [2, 3]", bg_update_running_statistics(context, three, three, three, 1, 0));
  CHECK_INVALID("float32", bg_tensor_set_requires_grad(integers, 1));
  bg_tensor* all[] = {two, three, matrix, image, channels, integers, bytes, empty, scalar};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
}

static void windows(void) {
  static const int64_t kWrong[] = {-1, INT64_MIN, INT64_MAX, INT64_C(1) << 40};
  bg_tensor *image = FLOATS(1, 4, 4, 2), *w = FLOATS(2, 2, 2, 2);
  for (size_t i = 0; i < sizeof kWrong / sizeof *kWrong; ++i) {
    const bg_conv2d_params padding = {.struct_size = sizeof padding, .padding = {kWrong[i], 0}};
    const bg_conv2d_params groups = {.struct_size = sizeof groups, .groups = kWrong[i]};
    const bg_pool2d_params kernel = {.struct_size = sizeof kernel, .kernel = {0, kWrong[i]}, .stride = {1, 1}};
    const bg_pool2d_params pool_padding = {.struct_size = sizeof pool_padding, .padding = {0, kWrong[i]}};
    const bg_conv2d_params stride = {.struct_size = sizeof stride, .stride = {kWrong[i], 0}};
    REFUSED("padding", bg_conv2d(context, image, w, NULL, &padding, &none));
    REFUSED("groups", bg_conv2d(context, image, w, NULL, &groups, &none));
    REFUSED("kernel", bg_max_pool2d(context, image, &kernel, &none));
    REFUSED("kernel", bg_average_pool2d(context, image, &kernel, &none));
    REFUSED("padding", bg_average_pool2d(context, image, &pool_padding, &none));
    REFUSED("stride", bg_conv2d(context, image, w, NULL, &stride, &none));
  }
  bg_tensor_free(image);
  bg_tensor_free(w);
}

static void labels(void) {
  const int32_t outside[3][2] = {{0, 3}, {-1, 0}, {INT32_MAX, INT32_MIN}};
  int64_t count = -9;
  bg_tensor *logits = FLOATS(2, 3), *good = TENSOR(BG_INT32, 2), *longer = TENSOR(BG_INT32, 3);
  bg_tensor *floats = FLOATS(2), *nothing = FLOATS(0, 3), *no_labels = TENSOR(BG_INT32, 0);
  for (int i = 0; i < 3; ++i) {
    CHECK_OK(bg_tensor_copy_from(good, outside[i], sizeof outside[i]));
    REFUSED("[0, 3)", bg_softmax_cross_entropy(context, logits, good, &none));
    CHECK_INVALID("[0, 3)", bg_count_correct(context, logits, good, &count));
  }
  REFUSED("labels", bg_softmax_cross_entropy(context, logits, longer, &none));
  REFUSED("labels", bg_softmax_cross_entropy(context, logits, floats, &none));
  REFUSED("one row", bg_softmax_cross_entropy(context, nothing, no_labels, &none));
  CHECK(count == -9);
  bg_tensor* all[] = {logits, good, longer, floats, nothing, no_labels};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
}

static void optimizer_steps(void) {
  static const double kRates[] = {0, -1, NAN, INFINITY, -INFINITY};
  bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.1, .step = 1};
  bg_sgd_params sgd = {.struct_size = sizeof sgd, .learning_rate = 0.1};
  bg_tensor *p = FLOATS(2), *longer = FLOATS(3), *integers = TENSOR(BG_INT32, 2), *m = FLOATS(2), *v = FLOATS(2);
  float got[2] = {1, 1};
  CHECK_INVALID("gradient", bg_adam_step(context, p, longer, m, v, &adam));
  CHECK_INVALID("second_moment", bg_adam_step(context, p, p, m, longer, &adam));
  CHECK_INVALID("int32", bg_sgd_step(context, integers, p, NULL, &sgd));
  for (size_t i = 0; i < sizeof kRates / sizeof *kRates; ++i) {
    adam.learning_rate = sgd.learning_rate = kRates[i];
    CHECK_INVALID("learning_rate", bg_adam_step(context, p, p, m, v, &adam));
    CHECK_INVALID("learning_rate", bg_sgd_step(context, p, p, NULL, &sgd));
  }
  adam.learning_rate = sgd.learning_rate = 0.1;
  adam.step = 0;
  CHECK_INVALID("step", bg_adam_step(context, p, p, m, v, &adam));
  adam.step = 1;
  adam.beta1 = 1;
  CHECK_INVALID("beta", bg_adam_step(context, p, p, m, v, &adam));
  adam.beta1 = NAN;
  CHECK_INVALID("beta", bg_adam_step(context, p, p, m, v, &adam));
  adam.beta1 = 0;
  adam.epsilon = -1;
  CHECK_INVALID("epsilon", bg_adam_step(context, p, p, m, v, &adam));
  sgd.nesterov = 1;
  CHECK_INVALID("nesterov", bg_sgd_step(context, p, p, NULL, &sgd));
  sgd.nesterov = 0;
  sgd.momentum = NAN;
  CHECK_INVALID("momentum", bg_sgd_step(context, p, p, m, &sgd));
  sgd.momentum = 0;
  sgd.weight_decay = adam.weight_decay = INFINITY;
  CHECK_INVALID("weight_decay", bg_sgd_step(context, p, p, NULL, &sgd));
  adam.epsilon = 0;
  CHECK_INVALID("weight_decay", bg_adam_step(context, p, p, m, v, &adam));
  CHECK_OK(bg_tensor_copy_to(p, got, sizeof got));
  CHECK(got[0] == 0 && got[1] == 0);
  bg_tensor* all[] = {p, longer, integers, m, v};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
}

static void quantizers(void) {
  static const float kRanges[] = {0, -1, NAN, INFINITY};
  bg_fixed_quantizer fixed = {sizeof fixed, 0, 0.5f, 0, 3, 0, 1.5f, 2};
  bg_gate_site sites[2] = {{.struct_size = sizeof *sites}, {.struct_size = sizeof *sites}};
  bg_tensor *x = FLOATS(2, 2), *one = FLOATS(1), *two = FLOATS(2), *four = FLOATS(4), *three = FLOATS(3);
  for (int i = 0; i < 4; ++i) {
    fixed.range = kRanges[i];
    REFUSED("range", bg_fixed_quantize(context, x, one, NULL, &fixed, &none));
    fixed.range = 2;
    fixed.scale = kRanges[i];
    REFUSED("scale", bg_fixed_quantize(context, x, one, NULL, &fixed, &none));
    fixed.scale = 0.5f;
  }
  fixed.qmin = 4;
  REFUSED("qmin", bg_fixed_quantize(context, x, one, NULL, &fixed, &none));
  fixed.qmin = 0;
  fixed.low = NAN;
  REFUSED("low", bg_fixed_quantize(context, x, one, NULL, &fixed, &none));
  fixed.low = 0;
  REFUSED("range", bg_fixed_quantize(context, x, two, NULL, &fixed, &none));
  REFUSED("keep", bg_fixed_quantize(context, x, one, four, &fixed, &none));
  REFUSED("gates", bg_bayesian_bits(context, x, one, three, NULL, 1, &none));
  REFUSED("channel", bg_bayesian_bits(context, x, one, four, three, 1, &none));
  REFUSED("at least 4 rows", bg_bsq_weight(context, x, two, one, 2, &none));
  REFUSED("row", bg_bsq_weight(context, x, three, one, 1, &none));
  REFUSED("bits", bg_bsq_weight(context, x, two, one, INT32_MIN, &none));
  REFUSED("weight", bg_bsq_group_lasso(context, x, 1, NAN, &none, &none));
  REFUSED("bits", bg_bsq_activation(context, x, one, one, INT32_MAX, &none));
  REFUSED("alpha", bg_bsq_activation(context, x, two, NULL, 4, &none));
  REFUSED("alpha", bg_bsq_largest(context, x, two, &none));
  REFUSED("site", bg_gates(context, four, NULL, BG_GATES_THRESHOLD, sites, 0, &none));
  REFUSED("site", bg_gate_penalty(context, four, 1, sites, INT32_MIN, &none));
  sites[1].level[2] = 4;
  REFUSED("offsets below 4", bg_gates(context, four, NULL, BG_GATES_THRESHOLD, sites, 2, &none));
  sites[1].level[2] = -3;
  REFUSED("offsets below 4", bg_gate_penalty(context, four, 1, sites, 2, &none));
  sites[1].level[2] = 0;
  sites[0].channels = INT64_MAX;
  REFUSED("offsets below 4", bg_gates(context, four, NULL, BG_GATES_THRESHOLD, sites, 2, &none));
  sites[0].channel_offset = -1;
  REFUSED("offsets below 4", bg_gates(context, four, NULL, BG_GATES_THRESHOLD, sites, 2, &none));
  sites[0].channels = sites[0].channel_offset = 0;
  REFUSED("noise", bg_gates(context, four, three, BG_GATES_STOCHASTIC, sites, 2, &none));
  bg_tensor* all[] = {x, one, two, four, three};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
}

static void numbers_that_are_none(void) {
  const float values[4] = {NAN, INFINITY, -INFINITY, 1};
  const float zeros[4] = {0, 0, 0, 0};
  float got[4];
  bg_tensor *x = tiny_tensor(context, 4, 0, values), *y = NULL, *one = tiny_tensor(context, 1, 0, values + 3);
  bg_tensor* gates = tiny_tensor(context, 4, 0, zeros);
  CHECK_OK(bg_relu(context, x, &y)); /* they go through: it is the caller's arithmetic */
  CHECK_OK(bg_tensor_copy_to(y, got, sizeof got));
  CHECK(got[1] == INFINITY && got[2] == 0 && got[3] == 1);
  bg_tensor_free(y);
  CHECK_OK(bg_sum(context, x, &y));
  CHECK_OK(bg_tensor_copy_to(y, got, sizeof *got));
  CHECK(isnan(got[0]));
  bg_tensor_free(y);
  CHECK_OK(bg_bayesian_bits(context, x, one, gates, NULL, 1, &y));
  bg_tensor_free(y);
  CHECK_OK(bg_bayesian_bits(context, one, one, x, NULL, 1, &y));
  bg_tensor_free(y);
  bg_tensor_free(x);
  bg_tensor_free(one);
  bg_tensor_free(gates);
}

static void devices(void) {
  bg_context* other = NULL;
  bg_config* config = tiny_config();
  bg_model* model = NULL;
  static const char* const kNoDevices[] = {"gpu", "CPU", "cpu:0", "cuda:", "cuda:x", "cuda:99999999999999999999", " "};
  for (size_t i = 0; i < sizeof kNoDevices / sizeof *kNoDevices; ++i) {
    CHECK_INVALID("device", bg_context_create(kNoDevices[i], &other));
    CHECK_INVALID("device", bg_model_create(config, kNoDevices[i], &model));
  }
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cuda:64", bg_context_create("cuda:64", &other));
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cuda:64", bg_model_create(config, "cuda:64", &model));
#ifndef BG_CUDA
  CHECK_STATUS(BG_STATUS_UNSUPPORTED_DEVICE, "cuda:0", bg_context_create("cuda:0", &other));
#endif
  CHECK(other == NULL && model == NULL);
  bg_config_free(config);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  context = tiny_context();
  RUN(sizes_of_tensors);
  RUN(numbers_that_are_no_enumerators);
  RUN(operands);
  RUN(windows);
  RUN(labels);
  RUN(optimizer_steps);
  RUN(quantizers);
  RUN(numbers_that_are_none);
  RUN(devices);
  bg_context_free(context);
  return check_finish();
}
