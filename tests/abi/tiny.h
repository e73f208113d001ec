/* A network, data and a recipe that train in a fraction of a second. */
#ifndef BITGATE_TESTS_ABI_TINY_H_
#define BITGATE_TESTS_ABI_TINY_H_

#include "api/c/bitgate.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TINY_SIZE = 8, TINY_CLASSES = 4, TINY_TRAIN = 192, TINY_TEST = 64, TINY_BATCH = 32 };

/* Three epochs of gates. */
extern const char kTinyRecipe[];
/* Six epochs of BSQ, requantized after every second, with batch norm behind the convolution. */
extern const char kTinyBsqRecipe[];
/* Two more of fine-tuning, to be put after either. */
extern const char kTinyFineTune[];

/* Images of one channel, a bright bar for each class; labels. */
void tiny_pixels(int count, uint32_t seed, uint8_t* images, int32_t* labels);

/* Each NULL, and a failed check, if something fails. */
bg_config* tiny_config(void);
bg_config* tiny_config_with_fine_tune(void);
bg_config* tiny_bsq_config(void);
bg_dataset* tiny_dataset(int count, uint32_t seed);
bg_model* tiny_model(void);
bg_model* tiny_bsq_model(void);
/* With fine-tuning in its configuration, and one step taken, so that its ranges are known. */
bg_model* tiny_stepped_model(void);
/* A trainer of the model on the tiny data, writing to `output` (may be NULL). */
bg_trainer* tiny_trainer(bg_model* model, const char* output, bg_existing existing);
bg_model* tiny_model_on(const char* device);
bg_context* tiny_context(void);
bg_context* tiny_context_on(const char* device);
/* A float32 tensor of rank 1 (or 2, where columns > 0), from values or zeros. */
bg_tensor* tiny_tensor(bg_context* context, int64_t rows, int64_t columns, const float* values);
/* uint8 [count, 8, 8, 1] and int32 [count]. */
void tiny_batch(bg_context* context, int count, uint32_t seed, bg_tensor** images, bg_tensor** labels);

#ifdef __cplusplus
}
#endif

#endif /* BITGATE_TESTS_ABI_TINY_H_ */
