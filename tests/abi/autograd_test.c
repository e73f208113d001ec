/* Ops and their gradients against numbers computed by hand. */
#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static bg_context* context;

static void expect(int line, bg_tensor* tensor, int count, const float* values) {
  float got[16];
  if (!CHECK_OK(bg_tensor_copy_to(tensor, got, (size_t)count * sizeof *got))) return;
  for (int i = 0; i < count; ++i) check_near(__FILE__, line, values[i], got[i], 1e-5, "an element");
}
#define EXPECT(tensor, ...) \
  expect(__LINE__, tensor, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (float[]){__VA_ARGS__})

static bg_tensor* leaf(int64_t rows, int64_t columns, const float* values) {
  bg_tensor* tensor = tiny_tensor(context, rows, columns, values);
  CHECK_OK(bg_tensor_set_requires_grad(tensor, 1));
  return tensor;
}
#define LEAF(rows, columns, ...) leaf(rows, columns, (const float[]){__VA_ARGS__})

static bg_tensor* image(int64_t height, int64_t width, const float* values) {
  const int64_t dims[4] = {1, height, width, 1};
  bg_tensor* tensor = NULL;
  CHECK_OK(bg_tensor_create(context, BG_FLOAT32, 4, dims, values, &tensor));
  CHECK_OK(bg_tensor_set_requires_grad(tensor, 1));
  return tensor;
}
#define IMAGE(height, width, ...) image(height, width, (const float[]){__VA_ARGS__})

/* sum(weights * y) walked back; y is freed. */
static void back(bg_tensor* y, int count, const float* weights) {
  const int64_t dims[1] = {count};
  bg_tensor *flat = NULL, *factors = tiny_tensor(context, count, 0, weights), *product = NULL, *loss = NULL;
  CHECK_OK(bg_reshape(context, y, 1, dims, &flat));
  CHECK_OK(bg_mul(context, flat, factors, &product));
  CHECK_OK(bg_sum(context, product, &loss));
  CHECK_OK(bg_backward(context, loss));
  bg_tensor_free(y);
  bg_tensor_free(flat);
  bg_tensor_free(factors);
  bg_tensor_free(product);
  bg_tensor_free(loss);
}
#define BACK(y, ...) back(y, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__})

/* Checks the gradient of a leaf, and frees both. */
static void expect_gradient(int line, bg_tensor* tensor, int count, const float* values) {
  bg_tensor* gradient = NULL;
  CHECK_OK(bg_tensor_gradient(tensor, &gradient));
  if (gradient == NULL) {
    check_fail(__FILE__, line, "expected a gradient, got none");
  } else {
    expect(line, gradient, count, values);
  }
  bg_tensor_free(gradient);
  bg_tensor_free(tensor);
}
#define EXPECT_GRADIENT(tensor, ...) \
  expect_gradient(__LINE__, tensor, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (float[]){__VA_ARGS__})

static void elementwise(void) {
  bg_tensor *a = LEAF(3, 0, 1, -2, 3), *b = LEAF(3, 0, 4, 5, -6), *y = NULL;
  CHECK_OK(bg_add(context, a, b, &y));
  EXPECT(y, 5, 3, -3);
  BACK(y, 1, 2, 3);
  CHECK_OK(bg_mul(context, a, b, &y));
  EXPECT(y, 4, -10, -18);
  BACK(y, 1, 1, 1);
  EXPECT_GRADIENT(a, 1 + 4, 2 + 5, 3 - 6); /* of both */
  EXPECT_GRADIENT(b, 1 + 1, 2 - 2, 3 + 3);
  a = LEAF(3, 0, 1, -2, 3);
  CHECK_OK(bg_relu(context, a, &y));
  EXPECT(y, 1, 0, 3);
  BACK(y, 7, 8, 9);
  EXPECT_GRADIENT(a, 7, 0, 9);
  a = LEAF(3, 0, 1, -2, 3);
  CHECK_OK(bg_scale(context, a, -0.5f, &y));
  EXPECT(y, -0.5f, 1, -1.5f);
  BACK(y, 2, 4, 6);
  EXPECT_GRADIENT(a, -1, -2, -3);
}

static void shapes_and_sums(void) {
  const int64_t dims[2] = {3, 2};
  int64_t shape[2];
  bg_tensor *a = LEAF(2, 3, 1, 2, 3, 4, 5, 6), *y = NULL, *part = NULL;
  CHECK_OK(bg_reshape(context, a, 2, dims, &y));
  CHECK_OK(bg_tensor_shape(y, 2, shape));
  CHECK(shape[0] == 3 && shape[1] == 2);
  BACK(y, 1, 2, 3, 4, 5, 6);
  EXPECT_GRADIENT(a, 1, 2, 3, 4, 5, 6);
  a = IMAGE(2, 2, 1, 2, 3, 4);
  CHECK_OK(bg_flatten(context, a, &y));
  CHECK_OK(bg_tensor_shape(y, 2, shape));
  CHECK(shape[0] == 1 && shape[1] == 4);
  BACK(y, 4, 3, 2, 1);
  EXPECT_GRADIENT(a, 4, 3, 2, 1);
  a = LEAF(4, 0, 1, 2, 3, 4);
  CHECK_OK(bg_slice(context, a, 1, 3, &part));
  EXPECT(part, 2, 3);
  BACK(part, 5, 6);
  EXPECT_GRADIENT(a, 0, 5, 6, 0);
  a = LEAF(2, 1, 1, 2);
  CHECK_OK(bg_pad_channels(context, a, 4, &y));
  EXPECT(y, 0, 1, 0, 0, 0, 2, 0, 0);
  BACK(y, 1, 2, 3, 4, 5, 6, 7, 8);
  EXPECT_GRADIENT(a, 2, 6);
  a = LEAF(2, 2, 1, 2, 3, 5);
  CHECK_OK(bg_sum(context, a, &y));
  EXPECT(y, 11);
  BACK(y, 2);
  CHECK_OK(bg_mean(context, a, &y));
  EXPECT(y, 2.75f);
  BACK(y, 4);
  CHECK_OK(bg_sum_rows(context, a, &y));
  EXPECT(y, 4, 7);
  BACK(y, 10, 20);
  EXPECT_GRADIENT(a, 2 + 1 + 10, 2 + 1 + 20, 2 + 1 + 10, 2 + 1 + 20);
}

static void products(void) {
  bg_tensor *a = LEAF(2, 2, 1, 2, 3, 4), *b = LEAF(2, 2, 5, 6, 7, 8), *bias = LEAF(2, 0, -100, 1), *y = NULL;
  CHECK_OK(bg_mat_mul(context, a, b, 0, 0, &y));
  EXPECT(y, 19, 22, 43, 50);
  BACK(y, 1, 0, 0, 0);
  CHECK_OK(bg_mat_mul(context, a, b, 1, 1, &y));
  EXPECT(y, 23, 31, 34, 46);
  bg_tensor_free(y);
  EXPECT_GRADIENT(a, 5, 7, 0, 0);
  EXPECT_GRADIENT(b, 1, 0, 2, 0);
  a = LEAF(1, 2, 1, 2);
  b = LEAF(2, 2, 3, 4, 5, 6);
  CHECK_OK(bg_linear(context, a, b, bias, BG_ACTIVATION_RELU, &y)); /* 11 - 100, 17 + 1 */
  EXPECT(y, 0, 18);
  BACK(y, 1, 2);
  EXPECT_GRADIENT(a, 10, 12);
  EXPECT_GRADIENT(b, 0, 0, 2, 4);
  EXPECT_GRADIENT(bias, 0, 2);
}

static void windows(void) {
  const bg_conv2d_params strided = {sizeof strided, BG_ACTIVATION_NONE, {1, 2}, {1, 0}, 0};
  const bg_pool2d_params pool = {.struct_size = sizeof pool, .kernel = {1, 2}, .stride = {1, 1}};
  int64_t shape[4];
  bg_tensor *x = IMAGE(2, 2, 1, 2, 3, 4), *w = IMAGE(2, 2, 1, 0, 0, -1), *bias = LEAF(1, 0, 10), *y = NULL;
  CHECK_OK(bg_conv2d(context, x, w, bias, NULL, &y));
  EXPECT(y, 7);
  BACK(y, 2);
  CHECK_OK(bg_conv2d(context, x, w, NULL, &strided, &y));
  CHECK_OK(bg_tensor_shape(y, 4, shape));
  CHECK(shape[0] == 1 && shape[1] == 3 && shape[2] == 1 && shape[3] == 1);
  EXPECT(y, -2, -3, 3);
  bg_tensor_free(y);
  EXPECT_GRADIENT(x, 2, 0, 0, -2);
  EXPECT_GRADIENT(w, 2, 4, 6, 8);
  EXPECT_GRADIENT(bias, 2);
  x = IMAGE(2, 2, 1, 9, 3, 4);
  CHECK_OK(bg_max_pool2d(context, x, NULL, &y));
  EXPECT(y, 9);
  BACK(y, 3);
  EXPECT_GRADIENT(x, 0, 3, 0, 0);
  x = IMAGE(1, 3, 1, 5, 2);
  CHECK_OK(bg_average_pool2d(context, x, &pool, &y));
  EXPECT(y, 3, 3.5f);
  BACK(y, 2, 4);
  EXPECT_GRADIENT(x, 1, 3, 2);
}

static void statistics(void) {
  const bg_batch_norm_params params = {.struct_size = sizeof params, .inference = 1, .epsilon = 1};
  bg_tensor* x = LEAF(4, 1, 1, 2, 3, 6);
  bg_tensor* gamma = LEAF(1, 0, 6);
  bg_tensor* beta = LEAF(1, 0, 1);
  bg_tensor* mean = LEAF(1, 0, 2);
  bg_tensor* variance = LEAF(1, 0, 8);
  bg_tensor* y = NULL;
  CHECK_OK(bg_channel_statistics(context, x, &y));
  EXPECT(y, 3, 3.5f);
  BACK(y, 4, 2);
  EXPECT_GRADIENT(x, -1, 0, 1, 4);
  x = LEAF(4, 1, 1, 2, 3, 6);
  CHECK_OK(bg_batch_norm(context, x, gamma, beta, mean, variance, &params, &y)); /* 2 (x - 2) + 1 */
  EXPECT(y, -1, 1, 3, 9);
  BACK(y, 1, 0, 0, 2);
  EXPECT_GRADIENT(x, 2, 0, 0, 4);
  EXPECT_GRADIENT(gamma, 7 / 3.0f);
  EXPECT_GRADIENT(beta, 3);
  bg_tensor_free(mean);
  bg_tensor_free(variance);
}

/* The first channel half open, the second closed. Without gates the first is 4.5, 1.5. */
static void folded_norm_of_gated_channels(void) {
  const bg_folded_norm_params params = {.struct_size = sizeof params, .momentum = 0.5f, .epsilon = 1};
  bg_tensor *x = LEAF(2, 2, 2.25f, 0.2f, 0.75f, 0.1f), *gamma = LEAF(2, 0, 6, 6), *beta = LEAF(2, 0, 1, 1);
  bg_tensor *gates = LEAF(2, 0, 0.5f, 0.05f), *mean = LEAF(2, 0, 2, 2), *variance = LEAF(2, 0, 8, 8), *y = NULL;
  CHECK_OK(bg_folded_batch_norm_of_result(context, x, gamma, beta, gates, mean, variance, &params, &y));
  EXPECT(y, -0.8f, -2.8f, -4.4f, -2.9f); /* 2.4 (x - 3) + 1, x - 4 + 1 */
  EXPECT(mean, 1.75f, 2);
  EXPECT(variance, 4.5625f, 8); /* half of 8 and 2 * 9 / 16 */
  BACK(y, 1, 3, 0, 0);
  EXPECT_GRADIENT(x, 0.432f, 3, -2.832f, 0);
  EXPECT_GRADIENT(gamma, -0.108f, -2);
  EXPECT_GRADIENT(beta, 1, 3);
  EXPECT_GRADIENT(gates, 13.104f, 0); /* and -2.304 by x: 2.4 * 4.5 together */
  bg_tensor_free(mean);
  bg_tensor_free(variance);
}

/* Statistics of the float layer: mean 4 and variance 3, by the gain 8 and 12. */
static void folded_norm_of_float_statistics(void) {
  bg_tensor *x = LEAF(3, 1, 2, 4, 12), *gamma = LEAF(1, 0, 6), *beta = LEAF(1, 0, 1), *mean = LEAF(1, 0, 2);
  bg_tensor *variance = LEAF(1, 0, 8), *statistics = LEAF(2, 1, 4, 3), *y = NULL;
  const bg_folded_norm_params params = {
      .struct_size = sizeof params, .momentum = 0.5f, .epsilon = 1, .statistics = statistics};
  CHECK_OK(bg_folded_batch_norm_of_result(context, x, gamma, beta, NULL, mean, variance, &params, &y));
  EXPECT(y, -8, -5, 7); /* 1.5 (x - 8) + 1 */
  EXPECT(mean, 3);
  EXPECT(variance, 6.25f); /* half of 8 and 3 * 3 / 2 */
  BACK(y, 1, 0, 2);
  EXPECT_GRADIENT(x, 0.25f, -1.375f, 1.125f); /* 1.5 (g - 3 / 3 - (x - 6) / 16 * 2 / 3): the mean of x is 6 */
  EXPECT_GRADIENT(gamma, -0.9166667f);        /* 56 / 3 / 16 * 2 / 4 + (6 - 8) / 4 * 3 */
  EXPECT_GRADIENT(beta, 3);
  bg_tensor* all[] = {mean, variance, statistics};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
}

static void folded_norm(void) {
  const bg_folded_norm_params params = {.struct_size = sizeof params, .momentum = 0.5f, .epsilon = 1};
  bg_tensor *w = LEAF(2, 2, 1, 2, 3, 4), *gain = LEAF(2, 0, 2, -1), *gamma = LEAF(1, 0, 6), *beta = LEAF(1, 0, 1);
  bg_tensor *mean = LEAF(1, 0, 2), *variance = LEAF(1, 0, 8), *statistics = LEAF(2, 1, 4, 3), *y = NULL;
  bg_tensor* x = LEAF(3, 1, 2, 4, 12);
  CHECK_OK(bg_scale_rows(context, w, gain, &y));
  EXPECT(y, 2, 4, -3, -4);
  BACK(y, 1, 2, 3, 4);
  EXPECT_GRADIENT(w, 2, 4, -3, -4);
  EXPECT_GRADIENT(gain, 5, 25);
  CHECK_OK(bg_folded_gain(context, gamma, variance, 1, &y)); /* sigma_run = 3 */
  EXPECT(y, 2);
  BACK(y, 3);
  EXPECT_GRADIENT(gamma, 1);
  gamma = LEAF(1, 0, 6);
  CHECK_OK(bg_folded_shift(context, gamma, beta, mean, variance, 1, &y));
  EXPECT(y, -3);
  BACK(y, 3);
  EXPECT_GRADIENT(gamma, -2);
  EXPECT_GRADIENT(beta, 3);
  gamma = LEAF(1, 0, 6);
  beta = LEAF(1, 0, 1);
  CHECK_OK(bg_folded_batch_norm(context, x, statistics, gamma, beta, variance, &params, &y)); /* 1.5 (x - 8) + 1 */
  EXPECT(y, -8, -5, 7);
  BACK(y, 1, 0, 2);
  EXPECT_GRADIENT(x, 1.5f, 0, 3);
  EXPECT_GRADIENT(statistics, -9, -(-9 + 2 * 6) / 8.0f);
  EXPECT_GRADIENT(gamma, -6);
  EXPECT_GRADIENT(beta, 3);
  /* Mean 0 and variance 12, undone: 3. */
  x = LEAF(2, 1, 3.4641016f, -3.4641016f);
  gamma = LEAF(1, 0, -6);
  beta = LEAF(1, 0, 1);
  CHECK_OK(bg_folded_batch_norm_of_result(context, x, gamma, beta, NULL, mean, variance, &params, &y)); /* 1.5 x + 1 */
  EXPECT(y, 6.1961524f, -4.1961524f);
  EXPECT(mean, 1);
  EXPECT(variance, 7); /* half of 8 and 2 * 3 */
  BACK(y, 1, 0);
  EXPECT_GRADIENT(beta, 1);
  EXPECT_GRADIENT(gamma, -0.6495191f);   /* y variance / (gamma (variance + gain^2)) */
  EXPECT_GRADIENT(x, 0.1875f, -0.1875f); /* 1.5 (1 - 1/2 - 3/8) */
  statistics = LEAF(2, 1, 4, 3);
  CHECK_OK(bg_update_running_statistics(context, mean, variance, statistics, 4, 0.25f));
  EXPECT(mean, 1.75f);
  EXPECT(variance, 6.25f);
  bg_tensor* all[] = {mean, variance, statistics};
  for (size_t i = 0; i < sizeof all / sizeof *all; ++i) bg_tensor_free(all[i]);
}

static void losses(void) {
  const int32_t values[2] = {1, 0};
  const int64_t two[1] = {2};
  int64_t correct = -1;
  bg_tensor *logits = LEAF(2, 2, 0, 0, 0, 1.0986123f /* log 3 */), *labels = NULL, *y = NULL;
  CHECK_OK(bg_tensor_create(context, BG_INT32, 1, two, values, &labels));
  CHECK_OK(bg_softmax_cross_entropy(context, logits, labels, &y)); /* (log 2 + log 4) / 2 */
  EXPECT(y, 1.0397208f);
  BACK(y, 1);
  CHECK_OK(bg_count_correct(context, logits, labels, &correct));
  CHECK(correct == 0);
  EXPECT_GRADIENT(logits, 0.25f, -0.25f, -0.375f, 0.375f);
  bg_tensor_free(labels);
}

static void quantizers(void) {
  const bg_fixed_quantizer fixed = {sizeof fixed, 0, 0.5f, 0, 3, 0, 1.5f, 1.5f};
  bg_tensor *x = LEAF(4, 0, -1, 0.3f, 0.8f, 9), *range = LEAF(1, 0, 1.5f), *one = LEAF(1, 0, 1), *y = NULL;
  bg_tensor *gates = tiny_tensor(context, 4, 0, NULL), *small = LEAF(3, 0, 0.5f, 0.4f, -0.5f);
  CHECK_OK(bg_fixed_quantize(context, x, range, NULL, &fixed, &y));
  EXPECT(y, 0, 0.5f, 1, 1.5f);
  BACK(y, 1, 2, 3, 4);
  EXPECT_GRADIENT(x, 0, 2, 3, 0);
  CHECK_OK(bg_bayesian_bits(context, small, one, gates, NULL, 0, &y)); /* 2 bits: steps of 1/3 */
  EXPECT(y, 2.0f / 3, 1.0f / 3, 0);
  BACK(y, 1, 2, 3);
  EXPECT_GRADIENT(small, 1, 2, 0);
  small = LEAF(3, 0, 0.5f, 0.2f, -0.5f);
  CHECK_OK(bg_bayesian_bits(context, small, one, gates, NULL, 1, &y)); /* of 2/3 */
  EXPECT(y, 2.0f / 3, 0, -2.0f / 3);
  bg_tensor_free(y);
  bg_tensor_free(small);
  bg_tensor_free(gates);
  bg_tensor_free(range);
  bg_tensor_free(one);
}

static void bsq(void) {
  const float digits[] = {1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0}; /* codes 3, -2, 1 */
  bg_tensor *planes = tiny_tensor(context, 4, 3, digits), *row = LEAF(3, 0, 9, 9, 9), *scale = LEAF(1, 0, 1.5f);
  bg_tensor *x = LEAF(4, 0, -1, 1, 2.9f, 7), *alpha = LEAF(1, 0, 3), *y = NULL, *penalty = NULL, *decay = NULL;
  CHECK_OK(bg_bsq_weight(context, planes, row, scale, 2, &y));
  EXPECT(y, 1.5f, -1, 0.5f);
  BACK(y, 1, 2, 3);
  EXPECT_GRADIENT(row, 1.5f, 3, 4.5f);
  EXPECT_GRADIENT(scale, 1 - 4.0f / 3 + 1);
  CHECK_OK(bg_bsq_group_lasso(context, planes, 2, 2, &penalty, &decay)); /* two norms of sqrt 2 */
  EXPECT(penalty, 5.6568542f);
  EXPECT(decay, 1.4142136f, 1.4142136f, 1.4142136f, 1.4142136f);
  CHECK_OK(bg_bsq_largest(context, x, alpha, &y));
  EXPECT(y, 3);
  bg_tensor_free(y);
  CHECK_OK(bg_bsq_activation(context, x, alpha, NULL, 2, &y));
  EXPECT(y, 0, 1, 3, 3);
  BACK(y, 1, 2, 3, 4);
  EXPECT_GRADIENT(x, 0, 2, 3, 0);
  EXPECT_GRADIENT(alpha, 4);
  bg_tensor_free(planes);
  bg_tensor_free(penalty);
  bg_tensor_free(decay);
}

static void gates_and_noise(void) {
  const bg_gate_site site = {sizeof site, 0, 2, 0, {2, 3, BG_GATE_OPEN, BG_GATE_CLOSED}, {0, 0, 0, 0, 0}};
  const bg_gate_site fixed = {sizeof fixed, 0, 0, 0, {BG_GATE_OPEN, 0, BG_GATE_CLOSED, 0}, {1, 2, 4, 8, 16}};
  float a[8], b[8];
  bg_tensor *phi = LEAF(4, 0, 10, -10, 10, 10), *one = LEAF(1, 0, 0), *z = NULL, *y = NULL, *noise = NULL;
  CHECK_OK(bg_gates(context, phi, NULL, BG_GATES_THRESHOLD, &site, 1, &z));
  EXPECT(z, 1, 0, 1, 1, 1, 0);
  bg_tensor_free(z);
  CHECK_OK(bg_uniform_noise(context, 7, 1, 3, 4, &noise));
  CHECK_OK(bg_gates(context, phi, noise, BG_GATES_STOCHASTIC, &site, 1, &z)); /* far from 0: noise changes nothing */
  EXPECT(z, 1, 0, 1, 1, 1, 0);
  bg_tensor_free(z);
  bg_tensor_free(noise);
  bg_tensor_free(phi);
  /* 3 (1 + 2 + q 4), q = sigmoid(1.5985968) */
  CHECK_OK(bg_gate_penalty(context, one, 3, &fixed, 1, &y));
  EXPECT(y, 9 + 12 * 0.8318222f);
  BACK(y, 1);
  EXPECT_GRADIENT(one, 12 * 0.8318222f * (1 - 0.8318222f));
  for (int step = 0; step < 3; ++step) {
    CHECK_OK(bg_uniform_noise(context, 7, 1, step == 2, 8, &noise));
    CHECK_OK(bg_tensor_copy_to(noise, step == 1 ? b : a, sizeof a));
    bg_tensor_free(noise);
    for (int i = 0; i < 8; ++i) {
      CHECK(a[i] > 0 && a[i] < 1);
      if (step == 1) CHECK(a[i] == b[i]);
      if (step == 2) CHECK(a[i] != b[i]);
    }
  }
}

static void optimizer_steps(void) {
  bg_adam_params adam = {.struct_size = sizeof adam, .learning_rate = 0.1, .step = 1};
  bg_sgd_params sgd = {.struct_size = sizeof sgd, .learning_rate = 0.1};
  const float gradients[2] = {2, -4};
  bg_tensor *p = LEAF(2, 0, 1, 1), *gradient = tiny_tensor(context, 2, 0, gradients);
  bg_tensor *m = tiny_tensor(context, 2, 0, NULL), *v = tiny_tensor(context, 2, 0, NULL);
  CHECK_OK(bg_adam_step(context, p, gradient, m, v, &adam));
  EXPECT(p, 0.9f, 1.1f);
  EXPECT(m, 0.2f, -0.4f);
  EXPECT(v, 0.004f, 0.016f);
  CHECK_OK(bg_sgd_step(context, p, gradient, NULL, &sgd));
  EXPECT(p, 0.7f, 1.5f);
  sgd.momentum = 0.5;
  CHECK_OK(bg_sgd_step(context, p, gradient, m, &sgd)); /* m = 0.5 m + g */
  EXPECT(m, 2.1f, -4.2f);
  EXPECT(p, 0.49f, 1.92f);
  bg_tensor_free(p);
  bg_tensor_free(gradient);
  bg_tensor_free(m);
  bg_tensor_free(v);
}

static void what_backward_expects(void) {
  int64_t dims[1];
  bg_tensor *a = LEAF(2, 0, 1, 2), *y = NULL, *loss = NULL, *gradient = NULL, *kept = NULL;
  CHECK_OK(bg_mul(context, a, a, &y));
  CHECK_INVALID("[2]", bg_backward(context, y)); /* not one element */
  CHECK_OK(bg_sum(context, y, &loss));
  CHECK_INVALID("result of one", bg_tensor_set_requires_grad(loss, 1));
  CHECK_OK(bg_backward(context, loss));
  CHECK_INVALID("backward", bg_backward(context, loss)); /* forgotten */
  CHECK_INVALID("backward", bg_backward(context, a));
  bg_tensor_free(loss);
  CHECK_OK(bg_tensor_gradient(a, &kept));
  CHECK_OK(bg_tensor_shape(kept, 1, dims));
  CHECK(dims[0] == 2);
  CHECK_OK(bg_tensor_clear_gradient(a));
  CHECK_OK(bg_tensor_gradient(a, &gradient));
  CHECK(gradient == NULL);
  EXPECT(kept, 2, 4); /* what was handed out stays */
  bg_tensor_free(kept);
  CHECK_OK(bg_context_set_recording(context, 0));
  CHECK_OK(bg_sum(context, a, &loss));
  CHECK_OK(bg_context_set_recording(context, 1));
  CHECK_INVALID("backward", bg_backward(context, loss));
  bg_tensor_free(loss);
  bg_tensor_free(y);
  bg_tensor_free(a);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  context = tiny_context();
  RUN(elementwise);
  RUN(shapes_and_sums);
  RUN(products);
  RUN(windows);
  RUN(statistics);
  RUN(folded_norm);
  RUN(folded_norm_of_gated_channels);
  RUN(folded_norm_of_float_statistics);
  RUN(losses);
  RUN(quantizers);
  RUN(bsq);
  RUN(gates_and_noise);
  RUN(optimizer_steps);
  RUN(what_backward_expects);
  bg_context_free(context);
  return check_finish();
}
