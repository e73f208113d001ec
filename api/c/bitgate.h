/** @file bitgate.h
 * The C interface of Bitgate: learned bit widths and pruning of neural networks, from training to an exported integer
 * model. C99.
 *
 *     bg_config* config = NULL;
 *     bg_model* model = NULL;
 *     bg_trainer* trainer = NULL;
 *     if (bg_config_create_from_recipe("lenet5_fashion_quickstart", &config) != BG_STATUS_OK) goto failed;
 *     if (bg_model_create(config, "cpu", &model) != BG_STATUS_OK) goto failed;
 *     if (bg_trainer_create(model, NULL, NULL, NULL, &trainer) != BG_STATUS_OK) goto failed;
 *     if (bg_trainer_fit(trainer, NULL, NULL) != BG_STATUS_OK) goto failed;
 *     if (bg_model_export_onnx(model, "model.onnx", NULL) != BG_STATUS_OK) goto failed;
 *     ...
 *     failed: fprintf(stderr, "%s\n", bg_last_error_message());
 *
 * Status. Every function that can fail returns a ::bg_status. On anything but ::BG_STATUS_OK nothing was written to
 * any output, and bg_last_error_message() tells, on the same thread, what was expected and what came.
 *
 * Handles. A pointer to an incomplete type, made by a function called ..._create..., freed by bg_<type>_free, which
 * takes NULL. Arguments are borrowed, outputs (`out`) are the caller's to free. A handle keeps alive what it needs: a
 * model may be freed before its trainer.
 *
 * Strings are UTF-8 and end with 0. Those the library returns belong to it: they live until the next call on the same
 * thread that returns one (bg_last_error_message() apart), or as long as the handle where that is said.
 *
 * Threads. Different handles may be used at once; one handle is for one thread at a time. A second thread, or a
 * callback that calls back into a handle of the call that runs it, gets ::BG_STATUS_BUSY. Handles that share memory (a
 * model and its parameters, a tensor and what was reshaped or sliced of it) count as one where one of them is written.
 * The number of threads that the library itself uses is the process's (bg_set_threads()).
 *
 * Devices. "cpu" or, in a library with CUDA, "cuda:<index>". Work on a GPU is queued, in one order for all handles, and
 * calls return before it is done; what gives numbers to the caller waits. What fails there may be told by a later call.
 *
 * Fork. A child that is forked after the first use of the library gets ::BG_STATUS_FORKED from every call, and freeing
 * handles in it does nothing.
 *
 * Structs (but ::bg_attribute) begin with `struct_size`: set it to sizeof the struct, and what is not meant otherwise
 * to 0: `bg_step_result result = {.struct_size = sizeof result};`. A struct that grows keeps its older, shorter form
 * valid. Enumerators have fixed numbers.
 *
 * The library never prints, never exits and never installs signal handlers. Files are written beside and renamed:
 * whole or not at all.
 */
#ifndef BITGATE_H_
#define BITGATE_H_

#include <stddef.h>
#include <stdint.h>

#if defined(BITGATE_BUILD)
#define BG_API __attribute__((visibility("default")))
#else
#define BG_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Library ---------------------------------------------------------------------------------------------------- */

/** The interface that this header describes. It grows when a function or struct changes incompatibly. */
#define BG_ABI_VERSION 0

/** What became of a call. */
typedef enum bg_status {
  BG_STATUS_OK = 0,               /**< done */
  BG_STATUS_INVALID_ARGUMENT = 1, /**< a value is wrong: a null pointer, a shape, a range, a malformed text */
  BG_STATUS_NOT_FOUND = 2,        /**< a file, a name or a key that should exist does not */
  BG_STATUS_DATA_LOSS = 3,        /**< the bytes of a file are not what its format says */
  BG_STATUS_FAILED_PRECONDITION =
      4,                            /**< fine, but not in this state: export before freeze, a loss that is not finite */
  BG_STATUS_UNSUPPORTED_DEVICE = 5, /**< this build or machine has no such device */
  BG_STATUS_UNAVAILABLE = 6,        /**< the operating system refused, or another run holds the files */
  BG_STATUS_RESOURCE_EXHAUSTED = 7, /**< memory or disk ran out */
  BG_STATUS_CANCELLED = 8,          /**< a callback said stop */
  BG_STATUS_INTERNAL = 9,           /**< a library below failed where it should not, or a callback threw */
  BG_STATUS_ABI_MISMATCH = 10,      /**< the program was compiled for another interface */
  BG_STATUS_BUSY = 11,              /**< a handle is in use by another thread, or by the call whose callback calls */
  BG_STATUS_FORKED = 12             /**< a child forked after the library's first use */
} bg_status;

/** The interface that the loaded library has. Compare it with #BG_ABI_VERSION, or call bg_check_abi(). */
BG_API uint32_t bg_abi_version(void);
/** ::BG_STATUS_ABI_MISMATCH unless the library has interface `version`; call it with #BG_ABI_VERSION, first. */
BG_API bg_status bg_check_abi(uint32_t version);
/** "0.1.0". Static. */
BG_API const char* bg_version(void);
/** "BG_STATUS_OK", ...; "BG_STATUS_UNKNOWN" for a number that is none. Static. */
BG_API const char* bg_status_name(bg_status status);
/** What went wrong in this thread's last failed call: one sentence, "where: expected ..., got ...". Never null; ""
 * before the first failure. Valid until the thread's next failure. */
BG_API const char* bg_last_error_message(void);
/** How many threads loops use from now on, in the whole process: 1 to 1024. Results are reproducible for one number. */
BG_API bg_status bg_set_threads(int32_t threads);
/** What bg_set_threads() said, or what the process may use. */
BG_API bg_status bg_get_threads(int32_t* threads);
/** JSON: version, build ("cpu" or "cuda"), processor, instruction sets in use, libraries. */
BG_API bg_status bg_describe(const char** json);

/* ---- Contexts --------------------------------------------------------------------------------------------------- */

/** A device to compute on, and what has been recorded there for bg_backward(). */
typedef struct bg_context bg_context;

/** `device`: "cpu" (or NULL), "cuda:0", ... */
BG_API bg_status bg_context_create(const char* device, bg_context** out);
/** Frees the handle; NULL is fine, as for all of these. */
BG_API void bg_context_free(bg_context* context);
/** "cpu" or "cuda:<index>". */
BG_API bg_status bg_context_device(bg_context* context, const char** device);
/** The device by its maker's name. */
BG_API bg_status bg_context_device_name(bg_context* context, const char** name);
/** How products and convolutions of this context compute from now on, backwards too: "float32" (as at first);
 * "bfloat16", on GPUs and on processors with AVX-512 BF16 or AMX; "tf32", on GPUs. Their inputs are rounded so, their
 * sums are float32. ::BG_STATUS_UNSUPPORTED_DEVICE where the device cannot. */
BG_API bg_status bg_context_set_compute(bg_context* context, const char* compute);
/** "float32", "tf32" or "bfloat16". */
BG_API bg_status bg_context_compute(bg_context* context, const char** compute);
/** Whether ops on this context record for bg_backward(); 1 at first. */
BG_API bg_status bg_context_set_recording(bg_context* context, int32_t recording);

/* ---- Tensors ---------------------------------------------------------------------------------------------------- */

/** Element types. */
typedef enum bg_dtype { BG_FLOAT32 = 0, BG_INT32 = 1, BG_INT8 = 2, BG_UINT8 = 3 } bg_dtype;

/** An array of up to 6 dimensions, row-major, on a device. Images are [n, height, width, channels]. */
typedef struct bg_tensor bg_tensor;

/** A tensor with a copy of `data` (host memory, row-major), or zeros if it is NULL. `dims`: `rank` sizes, each >= 0;
 * may be NULL for rank 0, a scalar. */
BG_API bg_status bg_tensor_create(bg_context* context, bg_dtype dtype, int32_t rank, const int64_t* dims,
                                  const void* data, bg_tensor** out);
/** A tensor in the caller's memory, without a copy; contexts on the cpu only. `data` is aligned for its type. When the
 * last handle, view or record of it goes, `release` (may be NULL; it must not throw) is called with `user_data`; the
 * memory must live until then. On failure `release` is not called. */
BG_API bg_status bg_tensor_borrow(bg_context* context, bg_dtype dtype, int32_t rank, const int64_t* dims, void* data,
                                  void (*release)(void* user_data), void* user_data, bg_tensor** out);
/** Another handle to the same elements, so that two threads may read them: a constant, without gradient or history. */
BG_API bg_status bg_tensor_create_alias(bg_tensor* tensor, bg_tensor** out);
/** Frees the handle; the tensor lives on in other handles and records. */
BG_API void bg_tensor_free(bg_tensor* tensor);

/** The type of its elements. */
BG_API bg_status bg_tensor_dtype(bg_tensor* tensor, bg_dtype* dtype);
/** The number of its dimensions, 0 to 6. */
BG_API bg_status bg_tensor_rank(bg_tensor* tensor, int32_t* rank);
/** Writes the tensor's sizes to `dims`, which has room for `capacity`, at least the rank. */
BG_API bg_status bg_tensor_shape(bg_tensor* tensor, int32_t capacity, int64_t* dims);
/** Number of elements. */
BG_API bg_status bg_tensor_size(bg_tensor* tensor, int64_t* size);
/** "cpu" or "cuda:<index>". */
BG_API bg_status bg_tensor_device(bg_tensor* tensor, const char** device);
/** The elements, in place; of tensors on the cpu only. Valid as long as the handle. */
BG_API bg_status bg_tensor_data(bg_tensor* tensor, void** data);
/** Copies the elements to host memory, when what is queued on their device before is done; `bytes` is exactly what they
 * take. */
BG_API bg_status bg_tensor_copy_to(bg_tensor* tensor, void* data, size_t bytes);
/** Overwrites the elements from host memory, which may be reused when the call returns; `bytes` is exactly what they
 * take. */
BG_API bg_status bg_tensor_copy_from(bg_tensor* tensor, const void* data, size_t bytes);

/* ---- Autograd --------------------------------------------------------------------------------------------------- */

/** Makes a float32 tensor a leaf: ops on it record, and bg_backward() adds to its gradient. Not for the result of an op
 * that has recorded. 0 takes it back. */
BG_API bg_status bg_tensor_set_requires_grad(bg_tensor* tensor, int32_t requires_grad);
/** 1 for a leaf, else 0. */
BG_API bg_status bg_tensor_requires_grad(bg_tensor* tensor, int32_t* requires_grad);
/** Adds d loss / d leaf to the gradient of every leaf that the loss (one element, computed on `context` since the last
 * backward) depends on, and forgets what was recorded. Ops keep their operands by reference: what is written into one
 * between the op and this (a copy, an optimizer step) is what the gradient is computed with. What was recorded is kept
 * as long as one result of it is. */
BG_API bg_status bg_backward(bg_context* context, bg_tensor* loss);
/** A new handle to the leaf's gradient; *out is NULL if no backward has reached it. */
BG_API bg_status bg_tensor_gradient(bg_tensor* tensor, bg_tensor** out);
/** The gradient starts over. */
BG_API bg_status bg_tensor_clear_gradient(bg_tensor* tensor);

/* ---- Ops -------------------------------------------------------------------------------------------------------- */
/* Operands are on the context's device; float32 unless said otherwise. `bias`, `channel_gates` and `keep` may be NULL.
 * All but the counting, noise, optimizer and running statistics' steps can be walked back by bg_backward(). */

/** What a convolution or product applies to its result. */
typedef enum bg_activation { BG_ACTIVATION_NONE = 0, BG_ACTIVATION_RELU = 1 } bg_activation;

/** Pairs are (height, width); all 0 but struct_size: stride 1, no padding, one group, no activation. */
typedef struct bg_conv2d_params {
  uint32_t struct_size;
  int32_t activation; /**< ::bg_activation */
  int64_t stride[2];  /**< 0: 1 */
  int64_t padding[2]; /**< zeros on both sides */
  int64_t groups;     /**< 0: 1 */
} bg_conv2d_params;

/** Pairs are (height, width). */
typedef struct bg_pool2d_params {
  uint32_t struct_size;
  uint32_t reserved; /**< 0 */
  int64_t kernel[2]; /**< 0: 2 */
  int64_t stride[2]; /**< 0: the kernel */
  int64_t padding[2];
} bg_pool2d_params;

/** x [n, h, w, c], w [o, kh, kw, c / groups], bias [o]; y [n, p, q, o]. `params` may be NULL. */
BG_API bg_status bg_conv2d(bg_context* context, bg_tensor* x, bg_tensor* w, bg_tensor* bias,
                           const bg_conv2d_params* params, bg_tensor** y);
/** x [n, in], w [out, in], bias [out]; y [n, out] = activation(x w^T + bias). */
BG_API bg_status bg_linear(bg_context* context, bg_tensor* x, bg_tensor* w, bg_tensor* bias, bg_activation activation,
                           bg_tensor** y);
/** [m, k] by [k, n] gives [m, n]; a non-zero flag transposes the operand first. */
BG_API bg_status bg_mat_mul(bg_context* context, bg_tensor* a, bg_tensor* b, int32_t transpose_a, int32_t transpose_b,
                            bg_tensor** y);
/** All elements to a scalar, accumulated in double. */
BG_API bg_status bg_sum(bg_context* context, bg_tensor* x, bg_tensor** y);
/** Sum divided by the number of elements, at least one. */
BG_API bg_status bg_mean(bg_context* context, bg_tensor* x, bg_tensor** y);
/** [n, c] to [c]. */
BG_API bg_status bg_sum_rows(bg_context* context, bg_tensor* x, bg_tensor** y);
/** max(x, 0). */
BG_API bg_status bg_relu(bg_context* context, bg_tensor* x, bg_tensor** y);
/** a + b, of equal shape. */
BG_API bg_status bg_add(bg_context* context, bg_tensor* a, bg_tensor* b, bg_tensor** y);
/** a * b element by element, of equal shape. */
BG_API bg_status bg_mul(bg_context* context, bg_tensor* a, bg_tensor* b, bg_tensor** y);
/** factor * x. */
BG_API bg_status bg_scale(bg_context* context, bg_tensor* x, float factor, bg_tensor** y);
/** The same elements under another shape, without a copy. Any dtype. */
BG_API bg_status bg_reshape(bg_context* context, bg_tensor* x, int32_t rank, const int64_t* dims, bg_tensor** y);
/** [n, ...] to [n, k], without a copy. Any dtype. */
BG_API bg_status bg_flatten(bg_context* context, bg_tensor* x, bg_tensor** y);
/** Elements [begin, end) of a tensor of rank 1, without a copy. Any dtype. */
BG_API bg_status bg_slice(bg_context* context, bg_tensor* x, int64_t begin, int64_t end, bg_tensor** y);
/** [..., c] to [..., channels]: (channels - c) / 2 channels of zeros before, rounded down, the rest behind. */
BG_API bg_status bg_pad_channels(bg_context* context, bg_tensor* x, int64_t channels, bg_tensor** y);
/** The largest of each window of images [n, h, w, c]. `params` may be NULL: windows of 2 x 2. */
BG_API bg_status bg_max_pool2d(bg_context* context, bg_tensor* x, const bg_pool2d_params* params, bg_tensor** y);
/** The mean of each window; padding is not counted. */
BG_API bg_status bg_average_pool2d(bg_context* context, bg_tensor* x, const bg_pool2d_params* params, bg_tensor** y);
/** How bg_batch_norm() normalises; all 0 but struct_size: by the statistics of x, momentum 0.1, epsilon 1e-5. */
typedef struct bg_batch_norm_params {
  uint32_t struct_size;
  int32_t inference;  /**< 1: by the running statistics, which stay as they are */
  float momentum;     /**< what the batch weighs in the running statistics, to 1; 0: 0.1 */
  float epsilon;      /**< 0: 1e-5 */
  int32_t activation; /**< ::bg_activation */
  uint32_t reserved;  /**< 0 */
} bg_batch_norm_params;

/** x [..., c], all others [c]; y = activation(gamma (x - mean) / sqrt(variance + epsilon) + beta), the biased
 * statistics of each channel over all but the last dimension. Moves the running statistics (of the variance the
 * unbiased) towards those of x, in place; in inference they are used as constants instead. `params` may be NULL. */
BG_API bg_status bg_batch_norm(bg_context* context, bg_tensor* x, bg_tensor* gamma, bg_tensor* beta,
                               bg_tensor* running_mean, bg_tensor* running_variance, const bg_batch_norm_params* params,
                               bg_tensor** y);
/** x [..., c] to [2, c]: mean and biased variance of each channel, of at least one value. */
BG_API bg_status bg_channel_statistics(bg_context* context, bg_tensor* x, bg_tensor** y);

/* Batch norm folded into a quantized weight (arXiv 2005.07093): the convolution's weight is quantized after
 * bg_scale_rows() by bg_folded_gain(), and its result goes through bg_folded_batch_norm() or
 * bg_folded_batch_norm_of_result(); with frozen statistics, bg_folded_shift() is its bias. sigma_run is
 * sqrt(running_variance + epsilon), epsilon above 0. All but x, w and `statistics` are [c]; no gradient goes to running
 * statistics, which may be written to once the call is back. */

/** w [o, ...], gain [o]: each row of w times its gain. */
BG_API bg_status bg_scale_rows(bg_context* context, bg_tensor* w, bg_tensor* gain, bg_tensor** y);
/** gamma / sigma_run. */
BG_API bg_status bg_folded_gain(bg_context* context, bg_tensor* gamma, bg_tensor* running_variance, float epsilon,
                                bg_tensor** y);
/** beta - gamma running_mean / sigma_run. */
BG_API bg_status bg_folded_shift(bg_context* context, bg_tensor* gamma, bg_tensor* beta, bg_tensor* running_mean,
                                 bg_tensor* running_variance, float epsilon, bg_tensor** y);
/** All 0 but struct_size: momentum 0.1, epsilon 1e-5, no activation. */
typedef struct bg_folded_norm_params {
  uint32_t struct_size;
  int32_t activation; /**< ::bg_activation */
  float momentum;     /**< of bg_folded_batch_norm_of_result() alone, to 1; 0: 0.1 */
  float epsilon;      /**< 0: 1e-5 */
  /** Of bg_folded_batch_norm_of_result() alone, NULL for none: [2, c], mean and variance of the float weight's result,
   * constants, in place of those of x. Their gradient goes to x, straight through quantizing. */
  bg_tensor* statistics;
} bg_folded_norm_params;

/** x [..., c], the result of the folded weight; statistics [2, c], mean and variance, of the float weight's
 * (bg_channel_statistics()): y = activation(x sigma_run / sigma_batch + beta - gamma mean / sigma_batch), sigma_batch =
 * sqrt(variance + epsilon). The running statistics stay: bg_update_running_statistics(). `params` may be NULL. */
BG_API bg_status bg_folded_batch_norm(bg_context* context, bg_tensor* x, bg_tensor* statistics, bg_tensor* gamma,
                                      bg_tensor* beta, bg_tensor* running_variance, const bg_folded_norm_params* params,
                                      bg_tensor** y);
/** The same by mean and variance of x itself, of at least one row, the gain = gamma / sigma_run undone:
 * y = activation(sigma_run (x - mean) / sqrt(variance / gain^2 + epsilon) + beta). Moves the running statistics towards
 * mean / gain and variance / gain^2 (unbiased), in place. A channel whose gain is 0 gives beta, and keeps its own.
 * `gates`: by what the channels of x were multiplied (bg_bayesian_bits()), NULL for nothing; mean is that of x over its
 * gate, variance over its square. A channel whose gate is below 1/16 keeps its running statistics, and is normalised by
 * them; with `statistics` given, by these, towards which the running ones move in any case. `params` may be NULL. */
BG_API bg_status bg_folded_batch_norm_of_result(bg_context* context, bg_tensor* x, bg_tensor* gamma, bg_tensor* beta,
                                                bg_tensor* gates, bg_tensor* running_mean, bg_tensor* running_variance,
                                                const bg_folded_norm_params* params, bg_tensor** y);
/** Moves the running statistics, in place, by `momentum` (in [0, 1]) towards `statistics` [2, c], mean and biased
 * variance of `rows` values a channel, as bg_batch_norm() does. Cannot be walked back. */
BG_API bg_status bg_update_running_statistics(bg_context* context, bg_tensor* running_mean, bg_tensor* running_variance,
                                              bg_tensor* statistics, int64_t rows, float momentum);

/** logits [n, c], labels int32 [n]; the mean over rows of -log softmax(logits)[label], a scalar. A label outside
 * [0, c) is refused on the cpu; on a GPU, which is not waited for, the result is NaN then. */
BG_API bg_status bg_softmax_cross_entropy(bg_context* context, bg_tensor* logits, bg_tensor* labels, bg_tensor** y);
/** In how many rows of `logits` the largest is at the label; a GPU counts a label that is no class as not right. */
BG_API bg_status bg_count_correct(bg_context* context, bg_tensor* logits, bg_tensor* labels, int64_t* count);

/** Optimizer steps overwrite `parameter` and the moments in place; all four have the same number of elements. */
typedef struct bg_adam_params {
  uint32_t struct_size;
  uint32_t reserved;    /**< 0 */
  double learning_rate; /**< > 0 */
  double beta1, beta2;  /**< 0: 0.9 and 0.999 */
  double epsilon;       /**< 0: 1e-8 */
  double weight_decay;
  int64_t step; /**< from 1 */
} bg_adam_params;

/** Settings of bg_sgd_step(). */
typedef struct bg_sgd_params {
  uint32_t struct_size;
  int32_t nesterov;
  double learning_rate; /**< > 0 */
  double momentum;      /**< not 0: uses first_moment */
  double weight_decay;
} bg_sgd_params;

/** Adam (arXiv 1412.6980, algorithm 1). `first_moment` and `second_moment` are zeros before step 1. */
BG_API bg_status bg_adam_step(bg_context* context, bg_tensor* parameter, bg_tensor* gradient, bg_tensor* first_moment,
                              bg_tensor* second_moment, const bg_adam_params* params);
/** Stochastic gradient descent; `first_moment` may be NULL without momentum. */
BG_API bg_status bg_sgd_step(bg_context* context, bg_tensor* parameter, bg_tensor* gradient, bg_tensor* first_moment,
                             const bg_sgd_params* params);

/** The Bayesian Bits quantizer (arXiv 2005.07093, section 2). x any shape; range [1], beta > 0; gates [4], z4 z8 z16
 * z32; channel_gates [x.dims[0]], z2, or NULL for 1. Not signed: values below 0 give 0. */
BG_API bg_status bg_bayesian_bits(bg_context* context, bg_tensor* x, bg_tensor* range, bg_tensor* gates,
                                  bg_tensor* channel_gates, int32_t is_signed, bg_tensor** y);

/** A frozen quantizer: y = scale * clamp(round(x / scale), qmin, qmax), its lengths stretching with the range. */
typedef struct bg_fixed_quantizer {
  uint32_t struct_size;
  int32_t clip_only; /**< 1: y = clamp(x, low, high) */
  float scale;       /**< > 0 */
  int32_t qmin, qmax;
  float low, high; /**< the gradient of x passes strictly between */
  float range;     /**< the range end that the lengths belong to, > 0 */
} bg_fixed_quantizer;

/** x any shape; range [1], the current range end; keep [x.dims[0]], 1 or 0 (pruned), or NULL. */
BG_API bg_status bg_fixed_quantize(bg_context* context, bg_tensor* x, bg_tensor* range, bg_tensor* keep,
                                   const bg_fixed_quantizer* quantizer, bg_tensor** y);

/** BSQ's weights of bit planes (arXiv 2102.10462, section 3.1): scale * Q(u), u = sum of (P_b - M_b) 2^(bits - 1 - b) /
 * (2^bits - 1), Q rounding to one of 2^bits - 1 steps of either sign. planes [2 bits or more, elements...]: P, then M,
 * the most significant first; scale [1]; bits 1 to 8. `row` has the result's shape and as many elements as a row of
 * planes, and its values are never read: it takes the gradient of u. That of a plane, which gets none here, is it times
 * 2^(bits - 1 - b) / (2^bits - 1), for M negative. */
BG_API bg_status bg_bsq_weight(bg_context* context, bg_tensor* planes, bg_tensor* row, bg_tensor* scale, int32_t bits,
                               bg_tensor** y);
/** weight times the sum over b of the norm of (P_b, M_b), a scalar; and its gradient by the planes, as what each row is
 * to be multiplied by: decay [2 bits]. Nothing is recorded. */
BG_API bg_status bg_bsq_group_lasso(bg_context* context, bg_tensor* planes, int32_t bits, double weight,
                                    bg_tensor** penalty, bg_tensor** decay);
/** BSQ's activations: x clipped to [0, alpha], then to the nearest of 2^bits - 1 steps up to `largest`. x any shape;
 * alpha [1] (PACT), or NULL for 6 (ReLU6); largest [1], a constant, or NULL for bg_bsq_largest(); bits 1 to 16. */
BG_API bg_status bg_bsq_activation(bg_context* context, bg_tensor* x, bg_tensor* alpha, bg_tensor* largest,
                                   int32_t bits, bg_tensor** y);
/** The largest element of x clipped to [0, alpha], a scalar; alpha as above. Nothing is recorded. */
BG_API bg_status bg_bsq_largest(bg_context* context, bg_tensor* x, bg_tensor* alpha, bg_tensor** y);

/** In bg_gate_site, instead of the offset of a gate's parameter: it has none and stays open. */
#define BG_GATE_OPEN (-1)
/** The same, and it stays closed. */
#define BG_GATE_CLOSED (-2)

/** How bg_gates() makes z of phi. */
typedef enum bg_gate_mode {
  BG_GATES_STOCHASTIC = 0,    /**< drawn with noise */
  BG_GATES_DETERMINISTIC = 1, /**< hard-concrete without noise */
  BG_GATES_THRESHOLD = 2      /**< 0 or 1, as freezing decides */
} bg_gate_mode;

/** The gates of one quantizer; offsets are into the parameters phi. */
typedef struct bg_gate_site {
  uint32_t struct_size;
  uint32_t reserved;      /**< 0 */
  int64_t channels;       /**< z2: one gate a channel; 0: none */
  int64_t channel_offset; /**< of their phi */
  int64_t level[4];       /**< of z4 z8 z16 z32: an offset, #BG_GATE_OPEN or #BG_GATE_CLOSED */
  double cost[5];         /**< c2 c4 c8 c16 c32 of the regularizer; without channels its first term is 1, not c2 */
} bg_gate_site;

/** z of all sites: of each its channels, then its four levels. phi [parameters]; noise [parameters] in (0, 1), for
 * ::BG_GATES_STOCHASTIC only (else NULL). */
BG_API bg_status bg_gates(bg_context* context, bg_tensor* phi, bg_tensor* noise, bg_gate_mode mode,
                          const bg_gate_site* sites, int32_t site_count, bg_tensor** z);
/** weight times the regularizer of all sites (arXiv 2005.07093, eq. 17), a scalar. */
BG_API bg_status bg_gate_penalty(bg_context* context, bg_tensor* phi, double weight, const bg_gate_site* sites,
                                 int32_t site_count, bg_tensor** y);
/** float32 [size] in (0, 1), a function of (seed, stream, step) alone: what stochastic gates take. */
BG_API bg_status bg_uniform_noise(bg_context* context, uint64_t seed, uint32_t stream, uint64_t step, int64_t size,
                                  bg_tensor** y);

/* ---- Graphs ----------------------------------------------------------------------------------------------------- */

/** A network as data: a validated graph of layers. Immutable. */
typedef struct bg_graph bg_graph;
/** A graph under construction. */
typedef struct bg_graph_builder bg_graph_builder;

/** The number of networks that come with Bitgate. */
BG_API bg_status bg_zoo_count(int32_t* count);
/** The name of network number `index`, from 0. */
BG_API bg_status bg_zoo_name(int32_t index, const char** name);
/** One of them. */
BG_API bg_status bg_graph_create_from_zoo(const char* name, bg_graph** out);
/** From the text format; `where` (may be NULL) begins messages, "<where>:<line>:<column>: ...". */
BG_API bg_status bg_graph_create_from_text(const char* text, const char* where, bg_graph** out);
/** Frees the handle. */
BG_API void bg_graph_free(bg_graph* graph);
/** The text that bg_graph_create_from_text() reads back to an equal graph. */
BG_API bg_status bg_graph_text(bg_graph* graph, const char** text);

/** (x * scale - mean) / std on the raw input. mean and std have `count` values: 0, 1, or one for each channel. */
typedef struct bg_preprocessing {
  uint32_t struct_size;
  int32_t count;
  double scale;       /**< 0: 1 */
  const double* mean; /**< may be NULL: 0 */
  const double* std;  /**< may be NULL: 1 */
} bg_preprocessing;

/** One attribute of a node by its name in graph.proto: "channels", "kernel", "stride", "padding", "groups", "bias". */
typedef struct bg_attribute {
  const char* name;
  const int64_t* values;
  int32_t count;
} bg_attribute;

/** A graph of this name, without nodes. */
BG_API bg_status bg_graph_builder_create(const char* name, bg_graph_builder** out);
/** Frees the handle. */
BG_API void bg_graph_builder_free(bg_graph_builder* builder);
/** The network's input, which nodes call `name` (NULL: "input"). dims: of one image, [height, width, channels] or
 * [features]. `preprocessing` may be NULL. */
BG_API bg_status bg_graph_builder_input(bg_graph_builder* builder, const char* name, int32_t rank, const int64_t* dims,
                                        const bg_preprocessing* preprocessing);
/** Adds a node: `kind` as in graph.proto ("conv2d", "linear", "relu", "max_pool", "average_pool", "flatten", "add"). */
BG_API bg_status bg_graph_builder_node(bg_graph_builder* builder, const char* name, const char* kind,
                                       const char* const* inputs, int32_t input_count, const bg_attribute* attributes,
                                       int32_t attribute_count);
/** Which bit widths the weight of the node added last may take: a subset of 0 (weights: channels may be
 * pruned), 2, 4, 8, 16, 32. None: it is left in float. */
BG_API bg_status bg_graph_builder_weight_bits(bg_graph_builder* builder, const int32_t* bits, int32_t count);
/** The same for the output of the node added last. */
BG_API bg_status bg_graph_builder_output_bits(bg_graph_builder* builder, const int32_t* bits, int32_t count);
/** Checks the whole and makes a graph of it; the builder stays as it is. */
BG_API bg_status bg_graph_builder_build(bg_graph_builder* builder, bg_graph** out);

/* ---- Configurations --------------------------------------------------------------------------------------------- */

/** What a run is repeated from: network, quantizer, training. The same as the command line's recipes. */
typedef struct bg_config bg_config;

/** The number of recipes that come with Bitgate. */
BG_API bg_status bg_recipe_count(int32_t* count);
/** The name of recipe number `index`, from 0. */
BG_API bg_status bg_recipe_name(int32_t index, const char** name);
/** A recipe by its name, or a file. */
BG_API bg_status bg_config_create_from_recipe(const char* name_or_path, bg_config** out);
/** From the text format; `where` as in bg_graph_create_from_text(). */
BG_API bg_status bg_config_create_from_text(const char* text, const char* where, bg_config** out);
/** The network of a graph, everything else as it is by default. */
BG_API bg_status bg_config_create_from_graph(bg_graph* graph, bg_config** out);
/** Frees the handle. */
BG_API void bg_config_free(bg_config* config);
/** Sets one setting by its path, as the command line does: "training.epochs", "10"; lists have commas. */
BG_API bg_status bg_config_set(bg_config* config, const char* path, const char* value);
/** The text that checkpoints carry, and that bg_config_create_from_text() reads back. */
BG_API bg_status bg_config_text(bg_config* config, const char** text);

/* ---- Data sets -------------------------------------------------------------------------------------------------- */

/** Labelled images in memory. Immutable. */
typedef struct bg_dataset bg_dataset;

/** The halves of a data set. */
typedef enum bg_split { BG_SPLIT_TRAIN = 0, BG_SPLIT_TEST = 1 } bg_split;

/** The IDX or CIFAR files of a folder, or Fashion-MNIST of the Debian package if it is NULL. `classes` 0: one more than
 * the largest label. */
BG_API bg_status bg_dataset_create_from_folder(const char* folder, bg_split split, int32_t classes, bg_dataset** out);
/** Copies of arrays: raw pixels, uint8 or float32 [count, height, width, channels], finite; labels in [0, classes). For
 * a network whose input is flat: height and width 1, as many channels as features. */
BG_API bg_status bg_dataset_create(int64_t count, int64_t height, int64_t width, int64_t channels, bg_dtype dtype,
                                   const void* images, const int32_t* labels, int32_t classes, bg_dataset** out);
/** Frees the handle. */
BG_API void bg_dataset_free(bg_dataset* dataset);
/** Number of images. */
BG_API bg_status bg_dataset_size(bg_dataset* dataset, int64_t* size);
/** [height, width, channels]. */
BG_API bg_status bg_dataset_image_shape(bg_dataset* dataset, int64_t dims[3]);
/** The number of classes. */
BG_API bg_status bg_dataset_classes(bg_dataset* dataset, int32_t* classes);

/* ---- Reports ---------------------------------------------------------------------------------------------------- */

/** Where a network's bits are and where its bit operations go. */
typedef struct bg_bit_report bg_bit_report;
/** What freezing did. */
typedef struct bg_freeze_report bg_freeze_report;
/** What requantizing did. */
typedef struct bg_requantize_report bg_requantize_report;

/** One layer. The strings live as long as the report. */
typedef struct bg_bit_row {
  uint32_t struct_size;
  int32_t weight_bits;     /**< -1: no weight, or one that is not quantized */
  int32_t activation_bits; /**< of the output; -1: not quantized */
  int32_t has_weight;
  const char* layer;
  const char* kind;
  int64_t kept_channels, channels; /**< of the output */
  double macs, bops;               /**< per image */
  double bops_share;               /**< of the network's, 0 to 1 */
  int64_t bytes;                   /**< of weights and biases */
} bg_bit_row;

/** The whole network. */
typedef struct bg_bit_totals {
  uint32_t struct_size;
  int32_t rows;
  int64_t kept_channels, channels; /**< of layers with a weight */
  double macs, bops;
  double relative_bops; /**< to 32-bit weights and activations, 0 to 1 */
  int64_t bytes, float_bytes;
  double weight_compression; /**< 32 bits each over their bits, of the weights that are quantized; 0: none has a bit */
} bg_bit_totals;

/** One quantized tensor. The string lives as long as the report. */
typedef struct bg_frozen_site {
  uint32_t struct_size;
  int32_t bits;
  const char* name;                /**< "conv1/weight", "conv1/output" */
  int64_t kept_channels, channels; /**< weights; else 0 */
  int64_t changed_codes, codes;    /**< weights: how many codes the one rounding of freezing gives differently */
} bg_frozen_site;

/** One weight or bias. The string lives as long as the report. */
typedef struct bg_requantized_tensor {
  uint32_t struct_size;
  uint32_t reserved;
  int32_t bits_before, bits; /**< 0: all its values are zero */
  const char* name;          /**< "conv1/weight", "conv1/bias" */
} bg_requantized_tensor;

/** Frees the handle. */
BG_API void bg_bit_report_free(bg_bit_report* report);
/** Fills `totals`. */
BG_API bg_status bg_bit_report_totals(bg_bit_report* report, bg_bit_totals* totals);
/** Fills `row` with layer number `index`, from 0, in the order of the graph. */
BG_API bg_status bg_bit_report_row(bg_bit_report* report, int32_t index, bg_bit_row* row);
/** A table to be read; it lives as long as the report. */
BG_API bg_status bg_bit_report_text(bg_bit_report* report, const char** text);
/** One line of JSON; it lives as long as the report. */
BG_API bg_status bg_bit_report_json(bg_bit_report* report, const char** json);

/** Frees the handle. */
BG_API void bg_freeze_report_free(bg_freeze_report* report);
/** The number of quantized tensors. */
BG_API bg_status bg_freeze_report_site_count(bg_freeze_report* report, int32_t* count);
/** Fills `site` with tensor number `index`, from 0, in the order of the graph. */
BG_API bg_status bg_freeze_report_site(bg_freeze_report* report, int32_t index, bg_frozen_site* site);
/** The number of sentences on what could not be kept as it was (layers pruned whole, ...). */
BG_API bg_status bg_freeze_report_note_count(bg_freeze_report* report, int32_t* count);
/** Sentence number `index`, from 0; it lives as long as the report. */
BG_API bg_status bg_freeze_report_note(bg_freeze_report* report, int32_t index, const char** note);

/** Frees the handle. */
BG_API void bg_requantize_report_free(bg_requantize_report* report);
/** The number of weights and biases; 0 for a method that has nothing to requantize. */
BG_API bg_status bg_requantize_report_tensor_count(bg_requantize_report* report, int32_t* count);
/** Fills `tensor` with number `index`, from 0, in the order of the graph. */
BG_API bg_status bg_requantize_report_tensor(bg_requantize_report* report, int32_t index,
                                             bg_requantized_tensor* tensor);
/** The number of sentences on what one should know: layers that have no bits left, by name. */
BG_API bg_status bg_requantize_report_warning_count(bg_requantize_report* report, int32_t* count);
/** Sentence number `index`, from 0; it lives as long as the report. */
BG_API bg_status bg_requantize_report_warning(bg_requantize_report* report, int32_t index, const char** warning);

/* ---- Models ----------------------------------------------------------------------------------------------------- */

/** A network with its parameters and quantizers. */
typedef struct bg_model bg_model;

/** Called while images go through; anything but 0 stops: the call returns ::BG_STATUS_CANCELLED. */
typedef int32_t (*bg_images_callback)(void* user_data, int64_t images);

/** What a network makes of a data set. */
typedef struct bg_evaluation {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t images, correct;
  double accuracy;      /**< 0 to 1 */
  double cross_entropy; /**< mean */
} bg_evaluation;

/** A network with initial weights (of the configuration's seed), on a device as bg_context_create() takes it. */
BG_API bg_status bg_model_create(bg_config* config, const char* device, bg_model** out);
/** From a checkpoint, of this library or the command line. */
BG_API bg_status bg_model_create_from_file(const char* path, const char* device, bg_model** out);
/** An independent twin on the same device. */
BG_API bg_status bg_model_create_copy(bg_model* model, bg_model** out);
/** As bg_context_set_compute(), of all that the model does, and of trainings under way from their next step on. (What
 * bg_model_forward() has recorded is walked back as its context computes.) A checkpoint knows nothing of it. */
BG_API bg_status bg_model_set_compute(bg_model* model, const char* compute);
/** "float32", "tf32" or "bfloat16". */
BG_API bg_status bg_model_compute(bg_model* model, const char** compute);
/** Frees the handle; trainers of the model go on. */
BG_API void bg_model_free(bg_model* model);
/** A checkpoint that bg_model_create_from_file(), Python and the command line read. */
BG_API bg_status bg_model_save(bg_model* model, const char* path);
/** Replaces all float weights, biases and batch norms, in place, by those of a safetensors file with PyTorch's names
 * and layouts (save_file(model.state_dict())): "conv1.weight" is node conv1's, [out, in / groups, height, width]. Or of
 * a checkpoint of the same network that is not frozen. The tensors must be the network's and no others (but
 * num_batches_tracked; all names may begin with "module."); what does not fit is listed whole, and the model stays as
 * it was: ::BG_STATUS_FAILED_PRECONDITION for tensors that are missing, unknown or of another shape or type, and for a
 * frozen model; ::BG_STATUS_DATA_LOSS for values that are not finite and variances below 0. Trainers that the model had
 * before are of no use any more. `table` (may be NULL) gets a heading and a line for each parameter: its name, the
 * tensor, its shape, how it was reordered. */
BG_API bg_status bg_model_load_float_weights(bg_model* model, const char* path, const char** table);
/** Writes the file that bg_model_load_float_weights() reads: the weights before quantization, also of a frozen model,
 * whose batch norms are part of them where freezing has folded them. */
BG_API bg_status bg_model_write_float_weights(bg_model* model, const char* path);
/** A copy of the configuration. */
BG_API bg_status bg_model_config(bg_model* model, bg_config** out);
/** Another configuration for the trainings to come: of the same network and quantizer. */
BG_API bg_status bg_model_set_config(bg_model* model, bg_config* config);
/** The network as data, as it runs: without the batch norms that freezing has folded into weights and biases. */
BG_API bg_status bg_model_graph(bg_model* model, bg_graph** out);
/** 1 if bit widths and channels are fixed, else 0. */
BG_API bg_status bg_model_is_frozen(bg_model* model, int32_t* frozen);

/** Bits, channels, bit operations and bytes, as freezing would fix them now. */
BG_API bg_status bg_model_bits(bg_model* model, bg_bit_report** out);
/** BSQ's re-quantization (arXiv 2102.10462), which bg_trainer_fit() does by itself: planes become digits again, and
 * layers lose or gain planes. What the network computes changes by rounding at most. Other methods have nothing to do.
 * `report` may be NULL. ::BG_STATUS_FAILED_PRECONDITION for a frozen model. */
BG_API bg_status bg_model_requantize(bg_model* model, bg_requantize_report** report);
/** Shows raw images, as bg_model_predict() takes them, to a model that is to be frozen after a loop of one's own: BSQ
 * notes the largest value of each activation, and forgets those of earlier calls. bg_trainer_fit() does it by itself.
 * ::BG_STATUS_FAILED_PRECONDITION for a frozen model. */
BG_API bg_status bg_model_calibrate(bg_model* model, bg_tensor* images);
/** Fixes bit widths and channels. `report` may be NULL. */
BG_API bg_status bg_model_freeze(bg_model* model, bg_freeze_report** report);
/** The whole data set through the network, as frozen networks compute. NULL: the test images of Fashion-MNIST.
 * `callback` may be NULL. */
BG_API bg_status bg_model_evaluate(bg_model* model, bg_dataset* dataset, bg_images_callback callback, void* user_data,
                                   bg_evaluation* evaluation);
/** The class of each raw image: uint8 or float32 [n, ...input shape] on the cpu, preprocessed as the graph says.
 * `classes` has room for n. */
BG_API bg_status bg_model_predict(bg_model* model, bg_tensor* images, int32_t* classes);
/** The logits [n, classes] of raw images, on the model's device. */
BG_API bg_status bg_model_logits(bg_model* model, bg_tensor* images, bg_tensor** logits);
/** For loops of one's own: preprocessed images (float32) to logits; images and `context` are on the model's device.
 * With `train` the gates are drawn (noise is keyed by the configuration's seed and `step`), the ops record on
 * `context`, so that bg_backward() reaches the parameters, and *penalty is the regularizer to add to the loss, or NULL
 * if there is none; each such pass moves the running statistics of batch norms. Without, it computes as frozen networks
 * do, records nothing, and *penalty is NULL; `penalty` may be NULL then. */
BG_API bg_status bg_model_forward(bg_model* model, bg_context* context, bg_tensor* images, int32_t train, uint64_t step,
                                  bg_tensor** logits, bg_tensor** penalty);
/** The number of parameters; freezing and requantizing replace them. */
BG_API bg_status bg_model_parameter_count(bg_model* model, int32_t* count);
/** Parameter number `index`, from 0, as a tensor that shares the model's memory, and its name: a leaf, but for running
 * statistics of batch norms, which are not learned. */
BG_API bg_status bg_model_parameter(bg_model* model, int32_t index, const char** name, bg_tensor** out);
/** Writes a frozen model as ONNX (opset 13; 21 if a weight needs 16-bit integers) that computes what the model
 * computes. `warnings` (may be NULL) gets one sentence a line on layers that became constants, weights that do not fit
 * int8 and the like. */
BG_API bg_status bg_model_export_onnx(bg_model* model, const char* path, const char** warnings);

/* ---- Training --------------------------------------------------------------------------------------------------- */

/** The training of a model, to its end or in pieces. */
typedef struct bg_trainer bg_trainer;

/** What becomes of a run that is there already. */
typedef enum bg_existing {
  BG_EXISTING_REFUSE = 0,   /**< a run that is there already is ::BG_STATUS_FAILED_PRECONDITION */
  BG_EXISTING_RESUME = 1,   /**< go on where it stands, as if it had not stopped; nothing there: begin */
  BG_EXISTING_OVERWRITE = 2 /**< remove it and begin */
} bg_existing;

/** The two phases of training: gates learn; they are frozen, and weights and ranges go on. */
typedef enum bg_phase { BG_PHASE_GATES = 0, BG_PHASE_FINE_TUNE = 1 } bg_phase;

/** Where a run leaves its files. */
typedef struct bg_trainer_options {
  uint32_t struct_size;
  int32_t existing;   /**< ::bg_existing */
  const char* output; /**< NAME.safetensors, with NAME.best.safetensors and NAME.log.jsonl beside it; NULL: no files */
} bg_trainer_options;

/** Where training stands, after a step or a batch of evaluation. */
typedef struct bg_step {
  uint32_t struct_size;
  int32_t phase;                  /**< ::bg_phase */
  int64_t epoch, epochs;          /**< from 1, of the phase */
  int64_t step, steps;            /**< taken in this epoch, of how many */
  double loss, penalty, accuracy; /**< means of the epoch so far */
  int32_t evaluating;             /**< the steps are done, the test images are being evaluated */
  int32_t reserved;
  int64_t total_steps, all_steps; /**< taken in the whole run, of how many */
} bg_step;

/** An epoch that has ended. */
typedef struct bg_epoch {
  uint32_t struct_size;
  int32_t phase;         /**< ::bg_phase */
  int64_t epoch, epochs; /**< from 1, of the phase */
  double train_loss, train_penalty, train_accuracy;
  double test_loss, test_accuracy; /**< as frozen networks compute */
  double penalty;                  /**< the regularizer at its end */
  double relative_bops;            /**< 0 to 1 */
  int64_t bytes;                   /**< of weights and biases */
  int32_t best;                    /**< the lowest test_loss + penalty of the phase so far */
  int32_t reserved;
  double weight_compression; /**< as bg_bit_totals has it */
} bg_epoch;

/** Any may be NULL. They run on the thread that called, between two steps. Anything but 0 stops: a checkpoint of that
 * moment is written (if there are files) and the call returns ::BG_STATUS_CANCELLED; calling again goes on. A C++
 * exception that leaves one stops likewise, with ::BG_STATUS_INTERNAL and its text. */
typedef struct bg_callbacks {
  uint32_t struct_size;
  uint32_t reserved; /**< 0 */
  int32_t (*step)(void* user_data, const bg_step* step);
  int32_t (*epoch)(void* user_data, const bg_epoch* epoch);
  void* user_data;
  /** After bit planes were requantized at the end of an epoch (again when a run resumes there); the report is lent. */
  int32_t (*requantized)(void* user_data, bg_requantize_report* report);
} bg_callbacks;

/** What bg_trainer_fit() did. */
typedef struct bg_train_result {
  uint32_t struct_size;
  int32_t frozen;
  double test_accuracy, test_loss; /**< of the network as it is now */
  int64_t epochs;                  /**< trained by this call */
  double seconds;                  /**< that they took */
  double relative_bops;
} bg_train_result;

/** What bg_trainer_step() did, with the parameters as they were before it. */
typedef struct bg_step_result {
  uint32_t struct_size;
  uint32_t reserved;
  double loss, penalty;
  int64_t correct; /**< images of the batch */
} bg_step_result;

/** Trains a model as its configuration says. NULL data sets: Fashion-MNIST. `options` may be NULL. Not for frozen
 * models: see bg_trainer_create_fine_tuner(). */
BG_API bg_status bg_trainer_create(bg_model* model, bg_dataset* train, bg_dataset* test,
                                   const bg_trainer_options* options, bg_trainer** out);
/** Trains weights and ranges of a frozen model on, as the fine_tune part of its configuration says. */
BG_API bg_status bg_trainer_create_fine_tuner(bg_model* model, bg_dataset* train, bg_dataset* test,
                                              const bg_trainer_options* options, bg_trainer** out);
/** For bg_trainer_step() alone: no data set, no files. The model may be frozen or not. */
BG_API bg_status bg_trainer_create_stepper(bg_model* model, bg_trainer** out);
/** Frees the handle; a run that is not at its end can be resumed from its files. */
BG_API void bg_trainer_free(bg_trainer* trainer);
/** To the end; returns at once if nothing is left. `callbacks` and `result` may be NULL. */
BG_API bg_status bg_trainer_fit(bg_trainer* trainer, const bg_callbacks* callbacks, bg_train_result* result);
/** One step on a batch of the caller's own: raw images as bg_model_predict() takes them, labels int32 [n] on the cpu
 * or the model's device. Learning rates are the configuration's times `learning_rate_factor` (1: as they are);
 * schedules, a matter of epochs, do not apply. `result` may be NULL. A trainer either fits or steps. */
BG_API bg_status bg_trainer_step(bg_trainer* trainer, bg_tensor* images, bg_tensor* labels, double learning_rate_factor,
                                 bg_step_result* result);

#ifdef __cplusplus
}
#endif

#endif /* BITGATE_H_ */
