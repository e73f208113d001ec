#include <algorithm>

#include "ops/finish_cuda.h"
#include "ops/linalg/linalg_kernels.h"
#include "runtime/base/error.h"
#include "runtime/device/cublaslt.h"
#include "runtime/device/cuda_check.h"
#include "runtime/device/cuda_library.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr uint64_t kMaxWorkspaceBytes = uint64_t{32} << 20;
constexpr uint32_t kAligned = 16;  // bytes, of what the library reads fastest; memory of a pool always is

uint32_t AlignmentOf(const void* data) {
  return reinterpret_cast<uintptr_t>(data) % kAligned == 0 ? kAligned : static_cast<uint32_t>(sizeof(float));
}

// A product as the library sees it. It stores matrices by columns, so ours are their own transposes to it, and it
// computes y' = op(b)' op(a)' with our b as its first operand.
struct Problem {
  int64_t m, k, n;
  MatMulParams params;
  bool with_bias;
  uint32_t a_alignment, b_alignment, y_alignment;
};

template <class T>
using Descriptor = Owned<T, cublasStatus_t>;

struct MatMulPlan {
  explicit MatMulPlan(const CublasLtFunctions& api)
      : product(api.cublasLtMatmulDescDestroy),
        first(api.cublasLtMatrixLayoutDestroy),
        second(api.cublasLtMatrixLayoutDestroy),
        result(api.cublasLtMatrixLayoutDestroy) {}

  Descriptor<cublasLtMatmulDesc_t> product;
  Descriptor<cublasLtMatrixLayout_t> first, second, result;
  cublasLtMatmulAlgo_t algorithm;
  size_t workspace_bytes = 0;
  bool finishes = true;  // bias and activation as well
};

cublasComputeType_t ComputeType(Compute compute) {
  switch (compute) {
    case Compute::kTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Compute::kBfloat16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    case Compute::kFloat32:
      break;
  }
  return CUBLAS_COMPUTE_32F;
}

cublasLtEpilogue_t Epilogue(bool with_bias, Activation activation) {
  if (activation == Activation::kRelu) return with_bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  return with_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
}

template <class T>
void SetProduct(const CublasLtFunctions& api, cublasLtMatmulDesc_t product, cublasLtMatmulDescAttributes_t attribute,
                T value) {
  BG_CHECK_CUBLASLT(api.cublasLtMatmulDescSetAttribute(product, attribute, &value, sizeof(value)));
}

template <class T>
void SetPreference(const CublasLtFunctions& api, cublasLtMatmulPreference_t preference,
                   cublasLtMatmulPreferenceAttributes_t attribute, T value) {
  BG_CHECK_CUBLASLT(api.cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)));
}

// There is no preference for the bias' alignment: it has to be kAligned.
void SetBias(const CublasLtFunctions& api, cublasLtMatmulDesc_t product, const void* bias) {
  SetProduct(api, product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
}

// A row-major matrix of ours, transposed without moving it.
void MakeLayout(const CublasLtFunctions& api, cublasLtMatrixLayout_t* layout, int64_t rows, int64_t columns) {
  BG_CHECK_CUBLASLT(api.cublasLtMatrixLayoutCreate(layout, CUDA_R_32F, static_cast<uint64_t>(columns),
                                                   static_cast<uint64_t>(rows), columns));
}

// The library's first choice among the algorithms that give the same bits every time; false if it has none.
bool ChooseAlgorithm(const CublasLt& library, const Problem& problem, MatMulPlan* plan) {
  const CublasLtFunctions& api = library.api;
  Descriptor<cublasLtMatmulPreference_t> preference(api.cublasLtMatmulPreferenceDestroy);
  BG_CHECK_CUBLASLT(api.cublasLtMatmulPreferenceCreate(preference.address()));
  const auto set = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    SetPreference(api, preference, attribute, value);
  };
  set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMaxWorkspaceBytes);
  // Not in place: parts of a sum would be added in the order in which they are done.
  set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      static_cast<uint32_t>(CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE | CUBLASLT_REDUCTION_SCHEME_OUTPUT_TYPE));
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, problem.b_alignment);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, problem.a_alignment);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, problem.y_alignment);
  set(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, problem.y_alignment);
  constexpr int kRequested = 8;
  cublasLtMatmulHeuristicResult_t found[kRequested] = {};
  int count = 0;
  const cublasStatus_t status =
      api.cublasLtMatmulAlgoGetHeuristic(library.handle, plan->product, plan->first, plan->second, plan->result,
                                         plan->result, preference, kRequested, found, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return false;
  BG_CHECK_CUBLASLT(status);
  const auto* chosen = std::find_if(found, found + count, [](const cublasLtMatmulHeuristicResult_t& result) {
    return result.state == CUBLAS_STATUS_SUCCESS && result.workspaceSize <= kMaxWorkspaceBytes;
  });
  if (chosen == found + count) return false;
  plan->algorithm = chosen->algo;
  plan->workspace_bytes = chosen->workspaceSize;
  return true;
}

// Null when the library has no algorithm for it. Without `finishes` bias and activation are left for afterwards.
std::shared_ptr<MatMulPlan> TryPlan(const CublasLt& library, const Problem& p, Compute compute, bool finishes) {
  const CublasLtFunctions& api = library.api;
  auto plan = std::make_shared<MatMulPlan>(api);
  BG_CHECK_CUBLASLT(api.cublasLtMatmulDescCreate(plan->product.address(), ComputeType(compute), CUDA_R_32F));
  const auto operation = [](bool transposed) { return static_cast<int32_t>(transposed ? CUBLAS_OP_T : CUBLAS_OP_N); };
  const cublasLtMatmulDesc_t product = plan->product;
  SetProduct(api, product, CUBLASLT_MATMUL_DESC_TRANSA, operation(p.params.transpose_b));
  SetProduct(api, product, CUBLASLT_MATMUL_DESC_TRANSB, operation(p.params.transpose_a));
  SetProduct(api, product, CUBLASLT_MATMUL_DESC_EPILOGUE,
             static_cast<uint32_t>(finishes ? Epilogue(p.with_bias, p.params.activation) : CUBLASLT_EPILOGUE_DEFAULT));
  plan->finishes = finishes;
  // Some address: without one the library may take the bias for absent when it chooses.
  if (p.with_bias && finishes) SetBias(api, product, reinterpret_cast<const void*>(uintptr_t{256}));
  const bool ta = p.params.transpose_a, tb = p.params.transpose_b;
  MakeLayout(api, plan->first.address(), tb ? p.n : p.k, tb ? p.k : p.n);
  MakeLayout(api, plan->second.address(), ta ? p.k : p.m, ta ? p.m : p.k);
  MakeLayout(api, plan->result.address(), p.m, p.n);
  if (!ChooseAlgorithm(library, p, plan.get())) return nullptr;
  return plan;
}

std::shared_ptr<MatMulPlan> MakePlan(const CublasLt& library, const Problem& p, Compute compute) {
  const bool plain = !p.with_bias && p.params.activation == Activation::kNone;
  auto plan = TryPlan(library, p, compute, true);
  // Not every shape has the algorithms that finish the result as well.
  if (plan == nullptr && !plain) plan = TryPlan(library, p, compute, false);
  // More exact than asked for is as good.
  if (plan == nullptr && compute != Compute::kFloat32) plan = TryPlan(library, p, Compute::kFloat32, plain);
  if (plan == nullptr) {
    throw Internal("matmul: expected an algorithm of cuBLASLt for [", p.m, ", ", p.k, "] by [", p.k, ", ", p.n,
                   "], got none");
  }
  return plan;
}

}  // namespace

void MatMul(KernelContext& context, View y, ConstView a, ConstView b, ConstView bias, const MatMulParams& params) {
  const Problem p{y.shape[0],           a.shape[params.transpose_a ? 0 : 1],
                  y.shape[1],           params,
                  bias.data != nullptr, AlignmentOf(a.data),
                  AlignmentOf(b.data),  AlignmentOf(y.data)};
  const CublasLt& library = UseCublasLt(context);
  const PlanKey key("matmul cublaslt", {static_cast<int64_t>(context.compute), p.m, p.k, p.n, params.transpose_a,
                                        params.transpose_b, p.with_bias, static_cast<int64_t>(params.activation),
                                        p.a_alignment, p.b_alignment, p.y_alignment});
  const auto plan = context.plans.Get<MatMulPlan>(key, [&] {
    RefuseInCapture(context.stream, "the first product of its shape");
    return MakePlan(library, p, context.compute);
  });
  const auto stream = static_cast<cudaStream_t>(context.stream.handle);
  const bool library_adds_bias = p.with_bias && plan->finishes;
  const bool move_bias = library_adds_bias && AlignmentOf(bias.data) < kAligned;
  const size_t moved_bytes = move_bias ? (static_cast<size_t>(p.n) * sizeof(float) + 255) / 256 * 256 : 0;
  char* workspace = static_cast<char*>(context.workspace.Get(moved_bytes + plan->workspace_bytes));
  if (library_adds_bias) {
    const void* bias_data = bias.data;
    if (move_bias) {
      BG_CHECK_CUDA(cudaMemcpyAsync(workspace, bias.data, p.n * sizeof(float), cudaMemcpyDeviceToDevice, stream));
      bias_data = workspace;
    }
    SetBias(library.api, plan->product, bias_data);
  }
  const float one = 1, zero = 0;
  BG_CHECK_CUBLASLT(library.api.cublasLtMatmul(
      library.handle, plan->product, &one, b.data, plan->first, a.data, plan->second, &zero, y.data, plan->result,
      y.data, plan->result, &plan->algorithm, workspace + moved_bytes, plan->workspace_bytes, stream));
  if (!plan->finishes) {
    const Finish finish{bias.As(), params.activation == Activation::kRelu, /*add=*/false};
    FinishResult(context.stream, y.As(), y.As(), p.m * p.n, p.n, finish);
  }
}

}  // namespace cuda
}  // namespace bitgate
