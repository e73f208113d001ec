// cuBLASLt's product of matrices: D = epilogue(alpha op(A) op(B) + beta C).
#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "tools/cuda_emulator/cublaslt.h"
#include "tools/cuda_emulator/memory.h"
#include "tools/cuda_emulator/numbers.h"
#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

namespace cuda_emulator {
namespace {

constexpr int64_t kSplit = 256;  // of the inner dimension; each part is summed by itself

// A matrix, or op() of one: element (i, j) is at i * row + j * column.
struct Matrix {
  Format format = Format::kFloat32;
  int64_t rows = 0, columns = 0, row = 0, column = 0;
  int64_t batch = 1, batch_stride = 0;

  size_t bytes() const {
    const int64_t last = (rows - 1) * row + (columns - 1) * column + (batch - 1) * batch_stride;
    return static_cast<size_t>(last + 1) * Bytes(format);
  }
};

struct Product {
  Matrix a, b, c, d;  // a and b as op() has them
  bool relu = false, biased = false;
  Format bias_format = Format::kFloat32;
  int64_t bias_batch_stride = 0;
  float (*round)(float) = nullptr;  // what the matrix units do to the inputs
};

bool MatrixOf(cublasLtMatrixLayout_t layout, bool transposed, Matrix* matrix) {
  const MatrixLayout& l = *static_cast<MatrixLayout*>(layout);
  if ((l.type != CUDA_R_32F && l.type != CUDA_R_16BF) || l.rows == 0 || l.columns == 0 || l.batch < 1) return false;
  if (l.order != CUBLASLT_ORDER_COL && l.order != CUBLASLT_ORDER_ROW) return false;
  const bool by_rows = l.order == CUBLASLT_ORDER_ROW;
  if (l.leading < static_cast<int64_t>(by_rows ? l.columns : l.rows)) return false;
  *matrix = {l.type == CUDA_R_32F ? Format::kFloat32 : Format::kBfloat16,
             static_cast<int64_t>(l.rows),
             static_cast<int64_t>(l.columns),
             by_rows ? l.leading : 1,
             by_rows ? 1 : l.leading,
             l.batch,
             l.batch_stride};
  if (transposed) {
    std::swap(matrix->rows, matrix->columns);
    std::swap(matrix->row, matrix->column);
  }
  return true;
}

bool RoundingOf(int32_t compute, Format format, float (**round)(float)) {
  switch (compute) {
    case CUBLAS_COMPUTE_32F:
    case CUBLAS_COMPUTE_32F_PEDANTIC:
      *round = nullptr;
      return true;
    case CUBLAS_COMPUTE_32F_FAST_TF32:
      *round = &RoundToTf32;
      return format == Format::kFloat32;
    case CUBLAS_COMPUTE_32F_FAST_16BF:
      *round = &RoundToBfloat16;
      return format == Format::kFloat32;
    default:
      return false;
  }
}

cublasStatus_t Describe(cublasLtMatmulDesc_t operation, cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                        cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d, Product* product) {
  if (operation == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const MatmulOperation& o = *static_cast<MatmulOperation*>(operation);
  Product& p = *product;
  if (!MatrixOf(a, o.transpose_a != CUBLAS_OP_N, &p.a) || !MatrixOf(b, o.transpose_b != CUBLAS_OP_N, &p.b) ||
      !MatrixOf(c, false, &p.c) || !MatrixOf(d, false, &p.d)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (p.a.rows != p.d.rows || p.b.columns != p.d.columns || p.a.columns != p.b.rows || p.c.rows != p.d.rows ||
      p.c.columns != p.d.columns || p.a.batch != p.d.batch || p.b.batch != p.d.batch || p.c.batch != p.d.batch) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (o.scale != CUDA_R_32F || o.pointer_mode != CUBLASLT_POINTER_MODE_HOST || o.transpose_c != CUBLAS_OP_N ||
      p.a.format != p.b.format || p.c.format != p.d.format || !RoundingOf(o.compute, p.a.format, &p.round) ||
      (p.a.format == Format::kFloat32 && p.d.format != Format::kFloat32)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  const uint32_t known = CUBLASLT_EPILOGUE_DEFAULT | CUBLASLT_EPILOGUE_RELU | CUBLASLT_EPILOGUE_BIAS;
  if ((o.epilogue & ~known) != 0) return CUBLAS_STATUS_NOT_SUPPORTED;
  p.relu = (o.epilogue & CUBLASLT_EPILOGUE_RELU) != 0;
  p.biased = (o.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0;
  p.bias_format = o.bias_type == -1 ? p.d.format : o.bias_type == CUDA_R_16BF ? Format::kBfloat16 : Format::kFloat32;
  p.bias_batch_stride = o.bias_batch_stride;
  return CUBLAS_STATUS_SUCCESS;
}

// ---- algorithms ----

enum Algorithm : uint64_t { kSplitInPlace = 1, kSplitInWorkspace, kWhole, kWholeWithoutWorkspace };

size_t WorkspaceOf(uint64_t algorithm, const Product& product) {
  switch (algorithm) {
    case kSplitInWorkspace:
      return static_cast<size_t>(product.d.rows * product.d.columns * product.d.batch) * 4 * sizeof(float);
    case kWhole:
      return 4096;
    default:
      return 0;
  }
}

// Tells problems apart, so that an algorithm found for one is not used for another.
uint64_t Signature(const Product& product) {
  uint64_t hash = 14695981039346656037ULL;
  const auto add = [&](uint64_t number) { hash = (hash ^ number) * 1099511628211ULL; };
  for (const Matrix* m : {&product.a, &product.b, &product.c, &product.d}) {
    for (const int64_t number : {m->rows, m->columns, m->row, m->column, m->batch, m->batch_stride}) {
      add(static_cast<uint64_t>(number));
    }
    add(static_cast<uint64_t>(m->format));
  }
  add(product.relu);
  add(product.biased);
  return hash;
}

// ---- the product itself ----

std::vector<float> Read(const Matrix& matrix, const void* data, int64_t batch, float (*round)(float)) {
  std::vector<float> values(static_cast<size_t>(matrix.rows * matrix.columns));
  size_t next = 0;
  for (int64_t i = 0; i < matrix.rows; ++i) {
    for (int64_t j = 0; j < matrix.columns; ++j) {
      const float value = Load(data, matrix.format, batch * matrix.batch_stride + i * matrix.row + j * matrix.column);
      values[next++] = round == nullptr ? value : round(value);
    }
  }
  return values;
}

void AddScaled(float* __restrict__ y, const float* __restrict__ x, float scale, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += scale * x[i];
}

// Row i of op(A) op(B); the parts of the inner dimension are added up beginning with part `turn`.
void Row(const Product& product, const float* a, const float* b, uint64_t turn, std::vector<float>* part,
         std::vector<float>* sum) {
  const int64_t inner = product.a.columns, n = product.d.columns;
  const int64_t parts = (inner + kSplit - 1) / kSplit;
  std::fill(sum->begin(), sum->end(), 0.0f);
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t begin = (i + static_cast<int64_t>(turn % static_cast<uint64_t>(parts))) % parts * kSplit;
    std::fill(part->begin(), part->end(), 0.0f);
    for (int64_t k = begin; k < std::min(begin + kSplit, inner); ++k) AddScaled(part->data(), b + k * n, a[k], n);
    AddScaled(sum->data(), part->data(), 1.0f, n);
  }
}

void Multiply(const Product& p, float alpha, const void* a, const void* b, float beta, const void* c, void* d,
              const void* bias, uint64_t turn) {
  std::vector<float> part(static_cast<size_t>(p.d.columns)), sum(part.size());
  for (int64_t batch = 0; batch < p.d.batch; ++batch) {
    const std::vector<float> left = Read(p.a, a, batch, p.round), right = Read(p.b, b, batch, p.round);
    for (int64_t i = 0; i < p.d.rows; ++i) {
      Row(p, left.data() + i * p.a.columns, right.data(), turn, &part, &sum);
      const float shift = p.biased ? Load(bias, p.bias_format, batch * p.bias_batch_stride + i) : 0.0f;
      for (int64_t j = 0; j < p.d.columns; ++j) {
        float value = alpha * sum[static_cast<size_t>(j)];
        if (beta != 0) value += beta * Load(c, p.c.format, batch * p.c.batch_stride + i * p.c.row + j * p.c.column);
        value += shift;
        if (p.relu && value < 0) value = 0;
        Store(d, p.d.format, batch * p.d.batch_stride + i * p.d.row + j * p.d.column, value);
      }
    }
  }
}

bool InDeviceMemory(const void* data, size_t bytes) {
  std::lock_guard<std::recursive_mutex> lock(Lock());
  return bytes == 0 || DeviceMemory::Get().Contains(data, bytes);
}

}  // namespace
}  // namespace cuda_emulator

using cuda_emulator::InDeviceMemory;
using cuda_emulator::Product;

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int requested,
                                              cublasLtMatmulHeuristicResult_t results[], int* returned) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (requested < 1 || results == nullptr || returned == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *returned = 0;
  Product product;
  const cublasStatus_t status = cuda_emulator::Describe(operation, a, b, c, d, &product);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // Real libraries lack some algorithms that finish a result in the same pass.
  if (product.biased && product.d.rows == 1) return CUBLAS_STATUS_NOT_SUPPORTED;
  const cuda_emulator::MatmulPreference none{};
  const auto& wishes = preference == nullptr ? none : *static_cast<cuda_emulator::MatmulPreference*>(preference);
  // The first is fastest, and different in every call: sums in place, in no fixed order.
  for (const uint64_t algorithm : {cuda_emulator::kSplitInPlace, cuda_emulator::kSplitInWorkspace,
                                   cuda_emulator::kWhole, cuda_emulator::kWholeWithoutWorkspace}) {
    const uint32_t scheme = algorithm == cuda_emulator::kSplitInPlace       ? CUBLASLT_REDUCTION_SCHEME_INPLACE
                            : algorithm == cuda_emulator::kSplitInWorkspace ? CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE
                                                                            : CUBLASLT_REDUCTION_SCHEME_NONE;
    const size_t workspace = cuda_emulator::WorkspaceOf(algorithm, product);
    if ((scheme & ~wishes.reduction_mask) != 0 || workspace > wishes.max_workspace) continue;
    if (*returned == requested) break;
    cublasLtMatmulHeuristicResult_t& result = results[(*returned)++];
    result = {};
    result.algo.data[0] = algorithm;
    result.algo.data[1] = cuda_emulator::Signature(product);
    result.workspaceSize = workspace;
    result.state = CUBLAS_STATUS_SUCCESS;
    result.wavesCount = 1;
  }
  return *returned == 0 ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t a_layout, const void* b, cublasLtMatrixLayout_t b_layout,
                              const void* beta, const void* c, cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (alpha == nullptr || beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  Product product;
  const cublasStatus_t status = cuda_emulator::Describe(operation, a_layout, b_layout, c_layout, d_layout, &product);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // Without an algorithm the library takes the first that it finds.
  const uint64_t id = algorithm == nullptr ? uint64_t{cuda_emulator::kSplitInPlace} : algorithm->data[0];
  if (algorithm != nullptr && algorithm->data[1] != cuda_emulator::Signature(product)) {
    return CUBLAS_STATUS_NOT_SUPPORTED;
  }
  if (workspace == nullptr) workspace_bytes = 0;
  if (workspace_bytes < cuda_emulator::WorkspaceOf(id, product)) return CUBLAS_STATUS_INVALID_VALUE;
  const float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
  const void* bias = static_cast<cuda_emulator::MatmulOperation*>(operation)->bias;
  const size_t bias_bytes = cuda_emulator::Bytes(product.bias_format) *
                            static_cast<size_t>(product.d.rows + (product.d.batch - 1) * product.bias_batch_stride);
  if (!InDeviceMemory(a, product.a.bytes()) || !InDeviceMemory(b, product.b.bytes()) ||
      (keep != 0 && !InDeviceMemory(c, product.c.bytes())) || !InDeviceMemory(d, product.d.bytes()) ||
      (product.biased && !InDeviceMemory(bias, bias_bytes)) || !InDeviceMemory(workspace, workspace_bytes)) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  const cudaError_t error = cuda_emulator::Call([&] {
    if (handle->device != cuda_emulator::CurrentDevice()) return cudaErrorInvalidResourceHandle;
    return cuda_emulator::Enqueue(stream, [=] {
      static uint64_t calls = 0;
      if (workspace_bytes > 0) std::memset(workspace, 0xff, workspace_bytes);  // all of it is the library's to use
      const uint64_t turn = id == cuda_emulator::kSplitInPlace ? ++calls : 0;
      cuda_emulator::Multiply(product, scale, a, b, keep, c, d, bias, turn);
    });
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
