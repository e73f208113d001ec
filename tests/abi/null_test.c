/* NULL for every pointer of every function: refused, naming function and argument, with outputs as they were; or fine
 * where the header says so. export_test looks that no pointer is missing. */
#include <string.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

/* What functions would write to, and how it looks as long as none has. */
static struct {
  bg_context* context;
  bg_tensor *tensor, *penalty;
  bg_graph* graph;
  bg_graph_builder* builder;
  bg_config* config;
  bg_dataset* dataset;
  bg_bit_report* bits;
  bg_freeze_report* frozen;
  bg_model* model;
  bg_trainer* trainer;
  const char* text;
  void* data;
  bg_dtype dtype;
  int32_t number, classes[8];
  int64_t size, dims[8];
} out, before;

static int released;
static void release(void* user_data) {
  (void)user_data;
  ++released;
}

#define NULL_REFUSED(function, argument, ...)                                                \
  do {                                                                                       \
    CHECK_INVALID(#function ": expected " #argument ", got NULL", function(__VA_ARGS__));    \
    if (memcmp(&out, &before, sizeof out) != 0 || released != 0)                             \
      check_fail(__FILE__, __LINE__, #function " without " #argument ": an output changed"); \
    out = before;                                                                            \
  } while (0)

#define NULL_ALLOWED(function, argument, ...) CHECK_OK(function(__VA_ARGS__))

static bg_context* context;
static bg_tensor *vector, *matrix, *images, *labels, *one, *four;
static const int64_t kDims[4] = {1, 2, 2, 1};
static const float kFour[4] = {1, 2, 3, 4};

static void begin(void) {
  const int64_t two[1] = {2};
  const int32_t classes[2] = {0, 1};
  memset(&out, 0x5a, sizeof out);
  before = out;
  context = tiny_context();
  vector = tiny_tensor(context, 4, 0, kFour);
  four = tiny_tensor(context, 4, 0, kFour);
  one = tiny_tensor(context, 1, 0, kFour);
  matrix = tiny_tensor(context, 2, 2, kFour);
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, kDims, kFour, &images));
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, two, classes, &labels));
}

static void end(void) {
  bg_tensor* all[] = {vector, four, one, matrix, images, labels};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
  bg_context_free(context);
}

static void library(void) {
  begin();
  NULL_REFUSED(bg_get_threads, threads, NULL);
  NULL_REFUSED(bg_describe, json, NULL);
  NULL_REFUSED(bg_context_create, out, "cpu", NULL);
  NULL_ALLOWED(bg_context_create, device, NULL, &out.context);
  bg_context_free(out.context);
  out = before;
  NULL_REFUSED(bg_context_device, context, NULL, &out.text);
  NULL_REFUSED(bg_context_device, device, context, NULL);
  NULL_REFUSED(bg_context_device_name, context, NULL, &out.text);
  NULL_REFUSED(bg_context_device_name, name, context, NULL);
  NULL_REFUSED(bg_context_set_compute, context, NULL, "float32");
  NULL_REFUSED(bg_context_set_compute, compute, context, NULL);
  NULL_REFUSED(bg_context_compute, context, NULL, &out.text);
  NULL_REFUSED(bg_context_compute, compute, context, NULL);
  NULL_REFUSED(bg_context_set_recording, context, NULL, 1);
  end();
}

static void freeing_nothing(void) {
#define NULL_FREED(function, argument) function(NULL)
  NULL_FREED(bg_context_free, context);
  NULL_FREED(bg_tensor_free, tensor);
  NULL_FREED(bg_graph_free, graph);
  NULL_FREED(bg_graph_builder_free, builder);
  NULL_FREED(bg_config_free, config);
  NULL_FREED(bg_dataset_free, dataset);
  NULL_FREED(bg_bit_report_free, report);
  NULL_FREED(bg_freeze_report_free, report);
  NULL_FREED(bg_requantize_report_free, report);
  NULL_FREED(bg_model_free, model);
  NULL_FREED(bg_trainer_free, trainer);
}

static void tensors(void) {
  float room[4];
  begin();
  NULL_REFUSED(bg_tensor_create, context, NULL, BG_FLOAT32, 4, kDims, kFour, &out.tensor);
  NULL_REFUSED(bg_tensor_create, dims, context, BG_FLOAT32, 4, NULL, kFour, &out.tensor);
  NULL_REFUSED(bg_tensor_create, out, context, BG_FLOAT32, 4, kDims, kFour, NULL);
  NULL_ALLOWED(bg_tensor_create, data, context, BG_FLOAT32, 4, kDims, NULL, &out.tensor);
  CHECK_OK(bg_tensor_copy_to(out.tensor, room, sizeof room));
  CHECK(room[0] == 0 && room[3] == 0);
  bg_tensor_free(out.tensor);
  NULL_ALLOWED(bg_tensor_create, dims, context, BG_FLOAT32, 0, NULL, kFour, &out.tensor); /* a scalar has none */
  bg_tensor_free(out.tensor);
  out = before;

  NULL_REFUSED(bg_tensor_borrow, context, NULL, BG_FLOAT32, 4, kDims, room, release, room, &out.tensor);
  NULL_REFUSED(bg_tensor_borrow, dims, context, BG_FLOAT32, 4, NULL, room, release, room, &out.tensor);
  NULL_REFUSED(bg_tensor_borrow, data, context, BG_FLOAT32, 4, kDims, NULL, release, room, &out.tensor);
  NULL_REFUSED(bg_tensor_borrow, out, context, BG_FLOAT32, 4, kDims, room, release, room, NULL);
  NULL_ALLOWED(bg_tensor_borrow, release, context, BG_FLOAT32, 4, kDims, room, NULL, room, &out.tensor);
  bg_tensor_free(out.tensor);
  NULL_ALLOWED(bg_tensor_borrow, user_data, context, BG_FLOAT32, 4, kDims, room, release, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  CHECK(released == 1);
  released = 0;
  out = before;

  NULL_REFUSED(bg_tensor_create_alias, tensor, NULL, &out.tensor);
  NULL_REFUSED(bg_tensor_create_alias, out, vector, NULL);
  NULL_REFUSED(bg_tensor_dtype, tensor, NULL, &out.dtype);
  NULL_REFUSED(bg_tensor_dtype, dtype, vector, NULL);
  NULL_REFUSED(bg_tensor_rank, tensor, NULL, &out.number);
  NULL_REFUSED(bg_tensor_rank, rank, vector, NULL);
  NULL_REFUSED(bg_tensor_shape, tensor, NULL, 8, out.dims);
  NULL_REFUSED(bg_tensor_shape, dims, vector, 8, NULL);
  NULL_REFUSED(bg_tensor_size, tensor, NULL, &out.size);
  NULL_REFUSED(bg_tensor_size, size, vector, NULL);
  NULL_REFUSED(bg_tensor_device, tensor, NULL, &out.text);
  NULL_REFUSED(bg_tensor_device, device, vector, NULL);
  NULL_REFUSED(bg_tensor_data, tensor, NULL, &out.data);
  NULL_REFUSED(bg_tensor_data, data, vector, NULL);
  NULL_REFUSED(bg_tensor_copy_to, tensor, NULL, room, sizeof room);
  NULL_REFUSED(bg_tensor_copy_to, data, vector, NULL, sizeof room);
  NULL_REFUSED(bg_tensor_copy_from, tensor, NULL, kFour, sizeof kFour);
  NULL_REFUSED(bg_tensor_copy_from, data, vector, NULL, sizeof kFour);
  end();
}

static void autograd(void) {
  begin();
  NULL_REFUSED(bg_tensor_set_requires_grad, tensor, NULL, 1);
  NULL_REFUSED(bg_tensor_requires_grad, tensor, NULL, &out.number);
  NULL_REFUSED(bg_tensor_requires_grad, requires_grad, vector, NULL);
  NULL_REFUSED(bg_backward, context, NULL, one);
  NULL_REFUSED(bg_backward, loss, context, NULL);
  NULL_REFUSED(bg_tensor_gradient, tensor, NULL, &out.tensor);
  NULL_REFUSED(bg_tensor_gradient, out, vector, NULL);
  NULL_REFUSED(bg_tensor_clear_gradient, tensor, NULL);
  end();
}

static void ops_of_one(void) {
  begin();
  NULL_REFUSED(bg_sum, context, NULL, vector, &out.tensor);
  NULL_REFUSED(bg_sum, x, context, NULL, &out.tensor);
  NULL_REFUSED(bg_sum, y, context, vector, NULL);
  NULL_REFUSED(bg_mean, context, NULL, vector, &out.tensor);
  NULL_REFUSED(bg_mean, x, context, NULL, &out.tensor);
  NULL_REFUSED(bg_mean, y, context, vector, NULL);
  NULL_REFUSED(bg_sum_rows, context, NULL, matrix, &out.tensor);
  NULL_REFUSED(bg_sum_rows, x, context, NULL, &out.tensor);
  NULL_REFUSED(bg_sum_rows, y, context, matrix, NULL);
  NULL_REFUSED(bg_relu, context, NULL, vector, &out.tensor);
  NULL_REFUSED(bg_relu, x, context, NULL, &out.tensor);
  NULL_REFUSED(bg_relu, y, context, vector, NULL);
  NULL_REFUSED(bg_scale, context, NULL, vector, 2, &out.tensor);
  NULL_REFUSED(bg_scale, x, context, NULL, 2, &out.tensor);
  NULL_REFUSED(bg_scale, y, context, vector, 2, NULL);
  NULL_REFUSED(bg_flatten, context, NULL, images, &out.tensor);
  NULL_REFUSED(bg_flatten, x, context, NULL, &out.tensor);
  NULL_REFUSED(bg_flatten, y, context, images, NULL);
  NULL_REFUSED(bg_slice, context, NULL, vector, 0, 1, &out.tensor);
  NULL_REFUSED(bg_slice, x, context, NULL, 0, 1, &out.tensor);
  NULL_REFUSED(bg_slice, y, context, vector, 0, 1, NULL);
  NULL_REFUSED(bg_reshape, context, NULL, images, 4, kDims, &out.tensor);
  NULL_REFUSED(bg_reshape, x, context, NULL, 4, kDims, &out.tensor);
  NULL_REFUSED(bg_reshape, dims, context, images, 4, NULL, &out.tensor);
  NULL_REFUSED(bg_reshape, y, context, images, 4, kDims, NULL);
  NULL_REFUSED(bg_max_pool2d, context, NULL, images, NULL, &out.tensor);
  NULL_REFUSED(bg_max_pool2d, x, context, NULL, NULL, &out.tensor);
  NULL_REFUSED(bg_max_pool2d, y, context, images, NULL, NULL);
  NULL_ALLOWED(bg_max_pool2d, params, context, images, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_channel_statistics, context, NULL, images, &out.tensor);
  NULL_REFUSED(bg_channel_statistics, x, context, NULL, &out.tensor);
  NULL_REFUSED(bg_channel_statistics, y, context, images, NULL);
  NULL_REFUSED(bg_batch_norm, context, NULL, images, one, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_batch_norm, x, context, NULL, one, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_batch_norm, gamma, context, images, NULL, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_batch_norm, beta, context, images, one, NULL, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_batch_norm, running_mean, context, images, one, one, NULL, one, NULL, &out.tensor);
  NULL_REFUSED(bg_batch_norm, running_variance, context, images, one, one, one, NULL, NULL, &out.tensor);
  NULL_REFUSED(bg_batch_norm, y, context, images, one, one, one, one, NULL, NULL);
  NULL_ALLOWED(bg_batch_norm, params, context, images, one, one, one, one, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_average_pool2d, context, NULL, images, NULL, &out.tensor);
  NULL_REFUSED(bg_average_pool2d, x, context, NULL, NULL, &out.tensor);
  NULL_REFUSED(bg_average_pool2d, y, context, images, NULL, NULL);
  NULL_ALLOWED(bg_average_pool2d, params, context, images, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  end();
}

static void folded_norms(void) {
  bg_tensor* statistics = NULL;
  begin();
  statistics = tiny_tensor(context, 2, 1, kFour);
  NULL_REFUSED(bg_pad_channels, context, NULL, images, 4, &out.tensor);
  NULL_REFUSED(bg_pad_channels, x, context, NULL, 4, &out.tensor);
  NULL_REFUSED(bg_pad_channels, y, context, images, 4, NULL);
  NULL_REFUSED(bg_scale_rows, context, NULL, matrix, vector, &out.tensor);
  NULL_REFUSED(bg_scale_rows, w, context, NULL, vector, &out.tensor);
  NULL_REFUSED(bg_scale_rows, gain, context, matrix, NULL, &out.tensor);
  NULL_REFUSED(bg_scale_rows, y, context, matrix, vector, NULL);
  NULL_REFUSED(bg_folded_gain, context, NULL, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_folded_gain, gamma, context, NULL, one, 1, &out.tensor);
  NULL_REFUSED(bg_folded_gain, running_variance, context, one, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_folded_gain, y, context, one, one, 1, NULL);
  NULL_REFUSED(bg_folded_shift, context, NULL, one, one, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_folded_shift, gamma, context, NULL, one, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_folded_shift, beta, context, one, NULL, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_folded_shift, running_mean, context, one, one, NULL, one, 1, &out.tensor);
  NULL_REFUSED(bg_folded_shift, running_variance, context, one, one, one, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_folded_shift, y, context, one, one, one, one, 1, NULL);
  NULL_REFUSED(bg_folded_batch_norm, context, NULL, images, statistics, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm, x, context, NULL, statistics, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm, statistics, context, images, NULL, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm, gamma, context, images, statistics, NULL, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm, beta, context, images, statistics, one, NULL, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm, running_variance, context, images, statistics, one, one, NULL, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm, y, context, images, statistics, one, one, one, NULL, NULL);
  NULL_ALLOWED(bg_folded_batch_norm, params, context, images, statistics, one, one, one, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_folded_batch_norm_of_result, context, NULL, images, one, one, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm_of_result, x, context, NULL, one, one, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm_of_result, gamma, context, images, NULL, one, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm_of_result, beta, context, images, one, NULL, one, one, one, NULL, &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm_of_result, running_mean, context, images, one, one, one, NULL, one, NULL,
               &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm_of_result, running_variance, context, images, one, one, one, one, NULL, NULL,
               &out.tensor);
  NULL_REFUSED(bg_folded_batch_norm_of_result, y, context, images, one, one, one, one, one, NULL, NULL);
  NULL_ALLOWED(bg_folded_batch_norm_of_result, gates, context, images, one, one, NULL, one, one, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_ALLOWED(bg_folded_batch_norm_of_result, params, context, images, one, one, one, one, one, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_update_running_statistics, context, NULL, one, one, statistics, 1, 0);
  NULL_REFUSED(bg_update_running_statistics, running_mean, context, NULL, one, statistics, 1, 0);
  NULL_REFUSED(bg_update_running_statistics, running_variance, context, one, NULL, statistics, 1, 0);
  NULL_REFUSED(bg_update_running_statistics, statistics, context, one, one, NULL, 1, 0);
  bg_tensor_free(statistics);
  end();
}

static void ops_of_two(void) {
  begin();
  NULL_REFUSED(bg_add, context, NULL, vector, four, &out.tensor);
  NULL_REFUSED(bg_add, a, context, NULL, four, &out.tensor);
  NULL_REFUSED(bg_add, b, context, vector, NULL, &out.tensor);
  NULL_REFUSED(bg_add, y, context, vector, four, NULL);
  NULL_REFUSED(bg_mul, context, NULL, vector, four, &out.tensor);
  NULL_REFUSED(bg_mul, a, context, NULL, four, &out.tensor);
  NULL_REFUSED(bg_mul, b, context, vector, NULL, &out.tensor);
  NULL_REFUSED(bg_mul, y, context, vector, four, NULL);
  NULL_REFUSED(bg_mat_mul, context, NULL, matrix, matrix, 0, 0, &out.tensor);
  NULL_REFUSED(bg_mat_mul, a, context, NULL, matrix, 0, 0, &out.tensor);
  NULL_REFUSED(bg_mat_mul, b, context, matrix, NULL, 0, 0, &out.tensor);
  NULL_REFUSED(bg_mat_mul, y, context, matrix, matrix, 0, 0, NULL);
  NULL_REFUSED(bg_softmax_cross_entropy, context, NULL, matrix, labels, &out.tensor);
  NULL_REFUSED(bg_softmax_cross_entropy, logits, context, NULL, labels, &out.tensor);
  NULL_REFUSED(bg_softmax_cross_entropy, labels, context, matrix, NULL, &out.tensor);
  NULL_REFUSED(bg_softmax_cross_entropy, y, context, matrix, labels, NULL);
  NULL_REFUSED(bg_count_correct, context, NULL, matrix, labels, &out.size);
  NULL_REFUSED(bg_count_correct, logits, context, NULL, labels, &out.size);
  NULL_REFUSED(bg_count_correct, labels, context, matrix, NULL, &out.size);
  NULL_REFUSED(bg_count_correct, count, context, matrix, labels, NULL);

  NULL_REFUSED(bg_conv2d, context, NULL, images, images, one, NULL, &out.tensor);
  NULL_REFUSED(bg_conv2d, x, context, NULL, images, one, NULL, &out.tensor);
  NULL_REFUSED(bg_conv2d, w, context, images, NULL, one, NULL, &out.tensor);
  NULL_REFUSED(bg_conv2d, y, context, images, images, one, NULL, NULL);
  NULL_ALLOWED(bg_conv2d, bias, context, images, images, NULL, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  NULL_ALLOWED(bg_conv2d, params, context, images, images, one, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_linear, context, NULL, matrix, matrix, NULL, BG_ACTIVATION_NONE, &out.tensor);
  NULL_REFUSED(bg_linear, x, context, NULL, matrix, NULL, BG_ACTIVATION_NONE, &out.tensor);
  NULL_REFUSED(bg_linear, w, context, matrix, NULL, NULL, BG_ACTIVATION_NONE, &out.tensor);
  NULL_REFUSED(bg_linear, y, context, matrix, matrix, NULL, BG_ACTIVATION_NONE, NULL);
  NULL_ALLOWED(bg_linear, bias, context, matrix, matrix, NULL, BG_ACTIVATION_NONE, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  end();
}

static void optimizer_steps(void) {
  const bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.1, .step = 1};
  bg_sgd_params sgd = {.struct_size = sizeof sgd, .learning_rate = 0.1, .momentum = 0.5};
  begin();
  NULL_REFUSED(bg_adam_step, context, NULL, vector, four, vector, four, &adam);
  NULL_REFUSED(bg_adam_step, parameter, context, NULL, four, vector, four, &adam);
  NULL_REFUSED(bg_adam_step, gradient, context, vector, NULL, vector, four, &adam);
  NULL_REFUSED(bg_adam_step, first_moment, context, vector, four, NULL, four, &adam);
  NULL_REFUSED(bg_adam_step, second_moment, context, vector, four, vector, NULL, &adam);
  NULL_REFUSED(bg_adam_step, params, context, vector, four, vector, four, NULL);
  NULL_REFUSED(bg_sgd_step, context, NULL, vector, four, one, &sgd);
  NULL_REFUSED(bg_sgd_step, parameter, context, NULL, four, one, &sgd);
  NULL_REFUSED(bg_sgd_step, gradient, context, vector, NULL, one, &sgd);
  NULL_REFUSED(bg_sgd_step, params, context, vector, four, one, NULL);
  CHECK_INVALID("first_moment", bg_sgd_step(context, vector, four, NULL, &sgd)); /* with momentum it is needed */
  sgd.momentum = 0;
  NULL_ALLOWED(bg_sgd_step, first_moment, context, vector, four, NULL, &sgd);
  end();
}

static void quantizers(void) {
  const bg_fixed_quantizer fixed = {sizeof fixed, 0, 0.5f, 0, 3, 0, 1.5f, 2};
  const bg_gate_site site = {.struct_size = sizeof site, .level = {0, 1, 2, 3}};
  begin();
  NULL_REFUSED(bg_bayesian_bits, context, NULL, vector, one, four, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_bayesian_bits, x, context, NULL, one, four, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_bayesian_bits, range, context, vector, NULL, four, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_bayesian_bits, gates, context, vector, one, NULL, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_bayesian_bits, y, context, vector, one, four, NULL, 1, NULL);
  NULL_ALLOWED(bg_bayesian_bits, channel_gates, context, vector, one, four, NULL, 1, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_fixed_quantize, context, NULL, vector, one, NULL, &fixed, &out.tensor);
  NULL_REFUSED(bg_fixed_quantize, x, context, NULL, one, NULL, &fixed, &out.tensor);
  NULL_REFUSED(bg_fixed_quantize, range, context, vector, NULL, NULL, &fixed, &out.tensor);
  NULL_REFUSED(bg_fixed_quantize, quantizer, context, vector, one, NULL, NULL, &out.tensor);
  NULL_REFUSED(bg_fixed_quantize, y, context, vector, one, NULL, &fixed, NULL);
  NULL_ALLOWED(bg_fixed_quantize, keep, context, vector, one, NULL, &fixed, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_gates, context, NULL, vector, four, BG_GATES_THRESHOLD, &site, 1, &out.tensor);
  NULL_REFUSED(bg_gates, phi, context, NULL, four, BG_GATES_THRESHOLD, &site, 1, &out.tensor);
  NULL_REFUSED(bg_gates, sites, context, vector, NULL, BG_GATES_THRESHOLD, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_gates, z, context, vector, NULL, BG_GATES_THRESHOLD, &site, 1, NULL);
  CHECK_INVALID("noise", bg_gates(context, vector, NULL, BG_GATES_STOCHASTIC, &site, 1, &out.tensor));
  NULL_ALLOWED(bg_gates, noise, context, vector, NULL, BG_GATES_THRESHOLD, &site, 1, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_gate_penalty, context, NULL, vector, 1, &site, 1, &out.tensor);
  NULL_REFUSED(bg_gate_penalty, phi, context, NULL, 1, &site, 1, &out.tensor);
  NULL_REFUSED(bg_gate_penalty, sites, context, vector, 1, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_gate_penalty, y, context, vector, 1, &site, 1, NULL);
  NULL_REFUSED(bg_uniform_noise, context, NULL, 1, 2, 3, 4, &out.tensor);
  NULL_REFUSED(bg_uniform_noise, y, context, 1, 2, 3, 4, NULL);
  end();
}

static void bsq(void) {
  begin();
  NULL_REFUSED(bg_bsq_weight, context, NULL, matrix, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_bsq_weight, planes, context, NULL, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_bsq_weight, row, context, matrix, NULL, one, 1, &out.tensor);
  NULL_REFUSED(bg_bsq_weight, scale, context, matrix, one, NULL, 1, &out.tensor);
  NULL_REFUSED(bg_bsq_weight, y, context, matrix, one, one, 1, NULL);
  NULL_REFUSED(bg_bsq_group_lasso, context, NULL, matrix, 1, 1, &out.tensor, &out.penalty);
  NULL_REFUSED(bg_bsq_group_lasso, planes, context, NULL, 1, 1, &out.tensor, &out.penalty);
  NULL_REFUSED(bg_bsq_group_lasso, penalty, context, matrix, 1, 1, NULL, &out.penalty);
  NULL_REFUSED(bg_bsq_group_lasso, decay, context, matrix, 1, 1, &out.tensor, NULL);
  NULL_REFUSED(bg_bsq_activation, context, NULL, vector, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_bsq_activation, x, context, NULL, one, one, 1, &out.tensor);
  NULL_REFUSED(bg_bsq_activation, y, context, vector, one, one, 1, NULL);
  NULL_ALLOWED(bg_bsq_activation, alpha, context, vector, NULL, one, 1, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_ALLOWED(bg_bsq_activation, largest, context, vector, one, NULL, 1, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  NULL_REFUSED(bg_bsq_largest, context, NULL, vector, one, &out.tensor);
  NULL_REFUSED(bg_bsq_largest, x, context, NULL, one, &out.tensor);
  NULL_REFUSED(bg_bsq_largest, y, context, vector, one, NULL);
  NULL_ALLOWED(bg_bsq_largest, alpha, context, vector, NULL, &out.tensor);
  bg_tensor_free(out.tensor);
  out = before;
  end();
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(library);
  RUN(freeing_nothing);
  RUN(tensors);
  RUN(autograd);
  RUN(ops_of_one);
  RUN(folded_norms);
  RUN(ops_of_two);
  RUN(optimizer_steps);
  RUN(quantizers);
  RUN(bsq);
  return check_finish();
}
