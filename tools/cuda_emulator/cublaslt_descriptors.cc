// cuBLASLt's handle and descriptors.
#include <cstring>

#include "tools/cuda_emulator/cublaslt.h"
#include "tools/cuda_emulator/graph.h"
#include "tools/cuda_emulator/state.h"

using cuda_emulator::MatmulOperation;
using cuda_emulator::MatmulPreference;
using cuda_emulator::MatrixLayout;

namespace {

// An attribute's place in its descriptor.
struct Field {
  void* data = nullptr;
  size_t bytes = 0;
};

template <class T>
Field FieldOf(T& member) {
  return {&member, sizeof(member)};
}

Field Find(cublasLtMatmulDesc_t descriptor, cublasLtMatmulDescAttributes_t attribute) {
  MatmulOperation& d = *static_cast<MatmulOperation*>(descriptor);
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_COMPUTE_TYPE:
      return FieldOf(d.compute);
    case CUBLASLT_MATMUL_DESC_SCALE_TYPE:
      return FieldOf(d.scale);
    case CUBLASLT_MATMUL_DESC_POINTER_MODE:
      return FieldOf(d.pointer_mode);
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return FieldOf(d.transpose_a);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return FieldOf(d.transpose_b);
    case CUBLASLT_MATMUL_DESC_TRANSC:
      return FieldOf(d.transpose_c);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return FieldOf(d.epilogue);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return FieldOf(d.bias);
    case CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE:
      return FieldOf(d.bias_batch_stride);
    case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
      return FieldOf(d.bias_type);
    default:
      return {};
  }
}

Field Find(cublasLtMatrixLayout_t descriptor, cublasLtMatrixLayoutAttribute_t attribute) {
  MatrixLayout& d = *static_cast<MatrixLayout*>(descriptor);
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_TYPE:
      return FieldOf(d.type);
    case CUBLASLT_MATRIX_LAYOUT_ORDER:
      return FieldOf(d.order);
    case CUBLASLT_MATRIX_LAYOUT_ROWS:
      return FieldOf(d.rows);
    case CUBLASLT_MATRIX_LAYOUT_COLS:
      return FieldOf(d.columns);
    case CUBLASLT_MATRIX_LAYOUT_LD:
      return FieldOf(d.leading);
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return FieldOf(d.batch);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return FieldOf(d.batch_stride);
    default:
      return {};
  }
}

Field Find(cublasLtMatmulPreference_t descriptor, cublasLtMatmulPreferenceAttributes_t attribute) {
  MatmulPreference& d = *static_cast<MatmulPreference*>(descriptor);
  switch (attribute) {
    case CUBLASLT_MATMUL_PREF_SEARCH_MODE:
      return FieldOf(d.search_mode);
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
      return FieldOf(d.max_workspace);
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
      return FieldOf(d.reduction_mask);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
      return FieldOf(d.alignment[0]);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
      return FieldOf(d.alignment[1]);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
      return FieldOf(d.alignment[2]);
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
      return FieldOf(d.alignment[3]);
    case CUBLASLT_MATMUL_PREF_MAX_WAVES_COUNT:
      return FieldOf(d.max_waves);
    case CUBLASLT_MATMUL_PREF_IMPL_MASK:
      return FieldOf(d.implementation_mask);
    default:
      return {};
  }
}

template <class Descriptor, class Attribute>
cublasStatus_t Set(Descriptor descriptor, Attribute attribute, const void* value, size_t bytes) {
  if (descriptor == nullptr || value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const Field field = Find(descriptor, attribute);
  if (field.data == nullptr || field.bytes != bytes) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(field.data, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

template <class Descriptor, class Attribute>
cublasStatus_t Get(Descriptor descriptor, Attribute attribute, void* value, size_t bytes, size_t* written) {
  if (descriptor == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const Field field = Find(descriptor, attribute);
  if (field.data == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  if (bytes != 0) {
    if (value == nullptr || field.bytes != bytes) return CUBLAS_STATUS_INVALID_VALUE;
    std::memcpy(value, field.data, bytes);
  } else if (written == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (written != nullptr) *written = field.bytes;
  return CUBLAS_STATUS_SUCCESS;
}

template <class Own, class Opaque>
cublasStatus_t Destroy(Opaque* descriptor) {
  delete static_cast<Own*>(descriptor);
  return CUBLAS_STATUS_SUCCESS;
}

struct StatusText {
  cublasStatus_t status;
  const char* name;
  const char* text;
};

const StatusText kStatuses[] = {
    {CUBLAS_STATUS_SUCCESS, "CUBLAS_STATUS_SUCCESS", "success"},
    {CUBLAS_STATUS_NOT_INITIALIZED, "CUBLAS_STATUS_NOT_INITIALIZED", "the library was not initialized"},
    {CUBLAS_STATUS_INVALID_VALUE, "CUBLAS_STATUS_INVALID_VALUE", "an unsupported value or parameter was passed"},
    {CUBLAS_STATUS_NOT_SUPPORTED, "CUBLAS_STATUS_NOT_SUPPORTED", "the functionality requested is not supported"},
    {CUBLAS_STATUS_EXECUTION_FAILED, "CUBLAS_STATUS_EXECUTION_FAILED", "the GPU program failed to execute"},
};

}  // namespace

size_t cublasLtGetVersion() { return CUBLAS_VERSION; }
size_t cublasLtGetCudartVersion() { return CUDART_VERSION; }

const char* cublasLtGetStatusName(cublasStatus_t status) {
  for (const StatusText& entry : kStatuses) {
    if (entry.status == status) return entry.name;
  }
  return "unknown cuBLAS status";
}

const char* cublasLtGetStatusString(cublasStatus_t status) {
  for (const StatusText& entry : kStatuses) {
    if (entry.status == status) return entry.text;
  }
  return "unknown cuBLAS status";
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  const cudaError_t error = cuda_emulator::Call([&] {
    const cudaError_t refused = cuda_emulator::RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    *handle = new cublasLtContext{cuda_emulator::CurrentDevice()};
    return cudaSuccess;
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* descriptor, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  auto* created = new MatmulOperation;
  created->compute = compute;
  created->scale = scale;
  *descriptor = created;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t descriptor) {
  return Destroy<MatmulOperation>(descriptor);
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t descriptor, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  return Set(descriptor, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulDescGetAttribute(cublasLtMatmulDesc_t descriptor, cublasLtMatmulDescAttributes_t attribute,
                                              void* value, size_t bytes, size_t* written) {
  return Get(descriptor, attribute, value, bytes, written);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  auto* created = new MatrixLayout;
  created->type = type;
  created->rows = rows;
  created->columns = columns;
  created->leading = leading;
  *layout = created;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return Destroy<MatrixLayout>(layout); }

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, const void* value,
                                                size_t bytes) {
  return Set(layout, attribute, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutGetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute, void* value, size_t bytes,
                                                size_t* written) {
  return Get(layout, attribute, value, bytes, written);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  *preference = new MatmulPreference;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return Destroy<MatmulPreference>(preference);
}

cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  return Set(preference, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulPreferenceGetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, void* value,
                                                    size_t bytes, size_t* written) {
  return Get(preference, attribute, value, bytes, written);
}
