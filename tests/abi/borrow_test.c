/* Memory of the caller's: whose it is, and when it is given back. */
#include <stdlib.h>

#include "tests/abi/check.h"
#include "tests/abi/tiny.h"

static int released;
static void release(void* user_data) {
  ++released;
  free(user_data); /* so that a use after it is seen */
}

static const int64_t kTwo[2] = {2, 1};

static bg_tensor* borrowed(bg_context* context, float first, float second) {
  float* memory = malloc(2 * sizeof *memory);
  bg_tensor* tensor = NULL;
  memory[0] = first;
  memory[1] = second;
  released = 0;
  CHECK_OK(bg_tensor_borrow(context, BG_FLOAT32, 1, kTwo, memory, release, memory, &tensor));
  return tensor;
}

static void not_a_copy(void) {
  float memory[2] = {1, 2}, got[2] = {0, 0};
  const float others[2] = {7, 8};
  void* data = NULL;
  bg_context* context = tiny_context();
  bg_tensor* tensor = NULL;
  CHECK_OK(bg_tensor_borrow(context, BG_FLOAT32, 1, kTwo, memory, NULL, NULL, &tensor));
  CHECK_OK(bg_tensor_data(tensor, &data));
  CHECK(data == memory);
  memory[1] = 5;
  CHECK_OK(bg_tensor_copy_to(tensor, got, sizeof got));
  CHECK(got[0] == 1 && got[1] == 5);
  CHECK_OK(bg_tensor_copy_from(tensor, others, sizeof others));
  CHECK(memory[0] == 7 && memory[1] == 8);
  bg_tensor_free(tensor);
  bg_context_free(context);
}

static void released_with_the_last_handle(void) {
  bg_context* context = tiny_context();
  bg_tensor *tensor = borrowed(context, 1, 2), *alias = NULL, *view = NULL;
  CHECK_OK(bg_tensor_create_alias(tensor, &alias));
  CHECK_OK(bg_reshape(context, tensor, 2, kTwo, &view));
  bg_context_free(context);
  bg_tensor_free(tensor);
  CHECK(released == 0);
  bg_tensor_free(alias);
  CHECK(released == 0);
  bg_tensor_free(view);
  CHECK(released == 1);
}

static void released_after_what_is_recorded(void) {
  float value = 0, ones[2] = {0, 0};
  bg_context* context = tiny_context();
  bg_tensor *tensor = borrowed(context, 3, 4), *y = NULL, *loss = NULL, *gradient = NULL;
  CHECK_OK(bg_tensor_set_requires_grad(tensor, 1));
  CHECK_OK(bg_mul(context, tensor, tensor, &y));
  CHECK_OK(bg_sum(context, y, &loss));
  bg_tensor_free(tensor);
  bg_tensor_free(y);
  CHECK(released == 0); /* backward needs it */
  CHECK_OK(bg_tensor_copy_to(loss, &value, sizeof value));
  CHECK(value == 25);
  CHECK_OK(bg_backward(context, loss));
  CHECK(released == 1);
  bg_tensor_free(loss);

  tensor = borrowed(context, 3, 4);
  CHECK_OK(bg_tensor_set_requires_grad(tensor, 1));
  CHECK_OK(bg_sum(context, tensor, &loss));
  CHECK_OK(bg_backward(context, loss));
  CHECK_OK(bg_tensor_gradient(tensor, &gradient)); /* memory of its own */
  bg_tensor_free(tensor);
  bg_tensor_free(loss);
  CHECK(released == 1);
  CHECK_OK(bg_tensor_copy_to(gradient, ones, sizeof ones));
  CHECK(ones[0] == 1 && ones[1] == 1);
  bg_tensor_free(gradient);
  bg_context_free(context);
}

static void released_with_the_context(void) {
  bg_context* context = tiny_context();
  bg_tensor *tensor = borrowed(context, 3, 4), *loss = NULL;
  CHECK_OK(bg_tensor_set_requires_grad(tensor, 1));
  CHECK_OK(bg_sum(context, tensor, &loss));
  bg_tensor_free(tensor);
  bg_tensor_free(loss);
  bg_context_free(context); /* it held the record */
  CHECK(released == 1);
}

static void released_after_a_model_has_read_it(void) {
  const int64_t dims[4] = {4, TINY_SIZE, TINY_SIZE, 1};
  uint8_t* pixels = malloc(4 * TINY_SIZE * TINY_SIZE);
  int32_t labels[4], classes[4];
  bg_context* context = tiny_context();
  bg_model* model = tiny_stepped_model();
  bg_tensor* images = NULL;
  released = 0;
  tiny_pixels(4, 3, pixels, labels);
  CHECK_OK(bg_tensor_borrow(context, BG_UINT8, 4, dims, pixels, release, pixels, &images));
  CHECK_OK(bg_model_predict(model, images, classes));
  bg_tensor_free(images);
  CHECK(released == 1);
  bg_model_free(model);
  bg_context_free(context);
}

static void never_released_on_failure(void) {
  int32_t memory[4] = {0, 0, 0, 0};
  const int64_t negative[1] = {-1}, seven[7] = {1, 1, 1, 1, 1, 1, 1}, none[1] = {0};
  bg_context* context = tiny_context();
  bg_tensor* tensor = NULL;
  char* unaligned = (char*)memory + 1;
  released = 0;
  CHECK_INVALID("aligned to 4", bg_tensor_borrow(context, BG_INT32, 1, kTwo, unaligned, release, NULL, &tensor));
  CHECK_INVALID("-1", bg_tensor_borrow(context, BG_INT32, 1, negative, memory, release, NULL, &tensor));
  CHECK_INVALID("rank", bg_tensor_borrow(context, BG_INT32, 7, seven, memory, release, NULL, &tensor));
  CHECK_INVALID("bg_dtype", bg_tensor_borrow(context, (bg_dtype)4, 1, kTwo, memory, release, NULL, &tensor));
  CHECK(released == 0 && tensor == NULL);
  CHECK_OK(bg_tensor_borrow(context, BG_UINT8, 1, kTwo, unaligned, NULL, NULL, &tensor)); /* bytes lie anywhere */
  bg_tensor_free(tensor);
  CHECK_OK(bg_tensor_borrow(context, BG_INT32, 1, none, NULL, release, NULL, &tensor)); /* nothing needs no memory */
  bg_tensor_free(tensor);
  CHECK(released == 1);
  bg_context_free(context);
}

int main(int argc, char** argv) {
  check_begin(argc, argv);
  RUN(not_a_copy);
  RUN(released_with_the_last_handle);
  RUN(released_after_what_is_recorded);
  RUN(released_with_the_context);
  RUN(released_after_a_model_has_read_it);
  RUN(never_released_on_failure);
  return check_finish();
}
