// What cuBLASLt's descriptors hold here.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_CUBLASLT_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_CUBLASLT_H_

#include <cublasLt.h>

#include <cstdint>

struct cublasLtContext {
  int device = 0;
};

namespace cuda_emulator {

// Derived from the types that callers have pointers to; whoever asks for a descriptor gets one of these.
struct MatmulOperation : cublasLtMatmulDescOpaque_t {
  int32_t compute = CUBLAS_COMPUTE_32F;
  int32_t scale = CUDA_R_32F;
  int32_t pointer_mode = CUBLASLT_POINTER_MODE_HOST;
  int32_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N, transpose_c = CUBLAS_OP_N;
  uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  int64_t bias_batch_stride = 0;
  int32_t bias_type = -1;  // D's
};

struct MatrixLayout : cublasLtMatrixLayoutOpaque_t {
  uint32_t type = CUDA_R_32F;
  int32_t order = CUBLASLT_ORDER_COL;
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;
  int32_t batch = 1;
  int64_t batch_stride = 0;
};

struct MatmulPreference : cublasLtMatmulPreferenceOpaque_t {
  uint32_t search_mode = CUBLASLT_SEARCH_BEST_FIT;
  uint64_t max_workspace = 0;
  uint32_t reduction_mask = CUBLASLT_REDUCTION_SCHEME_MASK;
  uint32_t alignment[4] = {256, 256, 256, 256};
  float max_waves = 0;
  uint64_t implementation_mask = ~uint64_t{0};
};

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_CUBLASLT_H_
