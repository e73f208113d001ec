// Products of matrices against plain loops in double; the traps of the heuristics, and the name for dlopen.
#include <cublasLt.h>
#include <dlfcn.h>

#include <set>

#include "tools/cuda_emulator/test_util.h"

namespace cuda_emulator {
namespace {

#define CHECK_CUBLAS(expression) ASSERT_EQ((expression), CUBLAS_STATUS_SUCCESS)

struct Case {
  int m, n, k;
  bool transpose_a = false, transpose_b = false;
  cublasLtOrder_t order = CUBLASLT_ORDER_COL;
  cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  float alpha = 1, beta = 0;
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
};

class CublasLtTest : public EmulatorTest {
 protected:
  void SetUp() override {
    EmulatorTest::SetUp();
    CHECK_CUBLAS(cublasLtCreate(&handle_));
    CHECK_CUBLAS(cublasLtMatmulPreferenceCreate(&preference_));
  }
  void TearDown() override {
    Forget();
    cublasLtMatmulPreferenceDestroy(preference_);
    cublasLtDestroy(handle_);
    EmulatorTest::TearDown();
  }
  void Forget() {
    for (cublasLtMatrixLayout_t& layout : layouts_) cublasLtMatrixLayoutDestroy(std::exchange(layout, nullptr));
    cublasLtMatmulDescDestroy(std::exchange(operation_, nullptr));
  }

  void Describe(const Case& a, const float* bias) {
    Forget();
    CHECK_CUBLAS(cublasLtMatmulDescCreate(&operation_, a.compute, CUDA_R_32F));
    const cublasOperation_t op_a = a.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t op_b = a.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
    Set(CUBLASLT_MATMUL_DESC_TRANSA, op_a);
    Set(CUBLASLT_MATMUL_DESC_TRANSB, op_b);
    Set(CUBLASLT_MATMUL_DESC_EPILOGUE, a.epilogue);
    if (bias != nullptr) Set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias);
    const int rows[] = {a.transpose_a ? a.k : a.m, a.transpose_b ? a.n : a.k, a.m};
    const int columns[] = {a.transpose_a ? a.m : a.k, a.transpose_b ? a.k : a.n, a.n};
    for (int i = 0; i < 3; ++i) {
      const bool by_rows = a.order == CUBLASLT_ORDER_ROW;
      CHECK_CUBLAS(
          cublasLtMatrixLayoutCreate(&layouts_[i], CUDA_R_32F, rows[i], columns[i], by_rows ? columns[i] : rows[i]));
      const int32_t order = a.order;
      CHECK_CUBLAS(cublasLtMatrixLayoutSetAttribute(layouts_[i], CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof(order)));
    }
  }
  template <class T>
  void Set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    CHECK_CUBLAS(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof(value)));
  }
  void Prefer(uint64_t workspace, uint32_t mask) {
    CHECK_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference_, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                                      sizeof(workspace)));
    CHECK_CUBLAS(cublasLtMatmulPreferenceSetAttribute(preference_, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &mask,
                                                      sizeof(mask)));
  }
  std::vector<cublasLtMatmulHeuristicResult_t> Heuristics() {
    std::vector<cublasLtMatmulHeuristicResult_t> results(8);
    int count = 0;
    EXPECT_EQ(cublasLtMatmulAlgoGetHeuristic(handle_, operation_, layouts_[0], layouts_[1], layouts_[2], layouts_[2],
                                             preference_, 8, results.data(), &count),
              CUBLAS_STATUS_SUCCESS);
    results.resize(count);
    return results;
  }
  cublasStatus_t Multiply(const Case& a, const float* left, const float* right, float* result,
                          const cublasLtMatmulAlgo_t* algorithm, void* workspace = nullptr, size_t bytes = 0) {
    return cublasLtMatmul(handle_, operation_, &a.alpha, left, layouts_[0], right, layouts_[1], &a.beta, result,
                          layouts_[2], result, layouts_[2], algorithm, workspace, bytes, stream_);
  }

  cublasLtHandle_t handle_ = nullptr;
  cublasLtMatmulPreference_t preference_ = nullptr;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t layouts_[3] = {};
};

TEST_F(CublasLtTest, EveryTransposeOrderAndEpilogue) {
  for (const cublasLtOrder_t order : {CUBLASLT_ORDER_COL, CUBLASLT_ORDER_ROW}) {
    for (const cublasLtEpilogue_t epilogue :
         {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_BIAS, CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_RELU_BIAS}) {
      for (int transposes = 0; transposes < 4; ++transposes) {
        const Case a{5, 7, 300, (transposes & 1) != 0, (transposes & 2) != 0, order, epilogue, 0.5f, 2.0f};
        const std::vector<float> left = Random(a.m * a.k, 1), right = Random(a.k * a.n, 2), old = Random(a.m * a.n, 3),
                                 bias = Random(a.m, 4);
        const auto at = [&](int rows, int columns, int i, int j, bool transpose) {
          if (transpose) {
            std::swap(rows, columns);
            std::swap(i, j);
          }
          return order == CUBLASLT_ORDER_COL ? j * rows + i : i * columns + j;
        };
        Array<float> device_left(left), device_right(right), result(old), device_bias(bias), workspace(1 << 16);
        Describe(a, device_bias.data());
        Prefer(1 << 18, CUBLASLT_REDUCTION_SCHEME_MASK);
        for (const cublasLtMatmulHeuristicResult_t& plan : Heuristics()) {
          result.Set(old);
          CHECK_CUBLAS(Multiply(a, device_left.data(), device_right.data(), result.data(), &plan.algo, workspace.data(),
                                1 << 18));
          const std::vector<float> values = result.Values();
          for (int i = 0; i < a.m; ++i) {
            for (int j = 0; j < a.n; ++j) {
              double sum = 0;
              for (int k = 0; k < a.k; ++k) {
                sum += double{left[at(a.m, a.k, i, k, a.transpose_a)]} * right[at(a.k, a.n, k, j, a.transpose_b)];
              }
              sum = 0.5 * sum + 2.0 * old[at(a.m, a.n, i, j, false)];
              if (epilogue & CUBLASLT_EPILOGUE_BIAS) sum += bias[i];
              if (epilogue & CUBLASLT_EPILOGUE_RELU) sum = std::max(sum, 0.0);
              ASSERT_NEAR(values[at(a.m, a.n, i, j, false)], sum, 1e-4);
            }
          }
        }
      }
    }
  }
}

TEST_F(CublasLtTest, HeuristicsMakeTheCallerChoose) {
  const Case a{4, 4, 2000};
  Array<float> left(Random(a.m * a.k, 1)), right(Random(a.k * a.n, 2)), result(a.m * a.n), workspace(1024);
  Describe(a, nullptr);
  Prefer(4096, CUBLASLT_REDUCTION_SCHEME_MASK);
  const auto all = Heuristics();
  Prefer(4096, CUBLASLT_REDUCTION_SCHEME_NONE);
  const auto whole = Heuristics();
  EXPECT_GT(all.size(), whole.size());
  ASSERT_EQ(whole.size(), 2u);
  EXPECT_GT(whole[0].workspaceSize, 0u);
  Prefer(0, CUBLASLT_REDUCTION_SCHEME_NONE);
  EXPECT_EQ(Heuristics().size(), 1u);

  // In place, the order of summation differs from call to call. That is what comes without an algorithm, too.
  const cublasLtMatmulAlgo_t* const algorithms[] = {&whole[0].algo, &all[0].algo, nullptr};
  for (const cublasLtMatmulAlgo_t* algorithm : algorithms) {
    std::set<std::vector<float>> results;
    for (int i = 0; i < 8; ++i) {
      CHECK_CUBLAS(Multiply(a, left.data(), right.data(), result.data(), algorithm, workspace.data(), 4096));
      results.insert(result.Values());
    }
    EXPECT_EQ(results.size() == 1, algorithm == &whole[0].algo);
  }
  EXPECT_EQ(Multiply(a, left.data(), right.data(), result.data(), &whole[0].algo), CUBLAS_STATUS_INVALID_VALUE)
      << "no workspace";
  Describe({4, 5, 20}, nullptr);
  EXPECT_EQ(Multiply(a, left.data(), right.data(), result.data(), &whole[1].algo), CUBLAS_STATUS_NOT_SUPPORTED)
      << "an algorithm for another problem";
}

TEST_F(CublasLtTest, ComputeTypeShows) {
  const float fine = 1.0f + 1.0f / 4096;
  for (const cublasComputeType_t compute : {CUBLAS_COMPUTE_32F, CUBLAS_COMPUTE_32F_FAST_TF32}) {
    Case a{1, 1, 1};
    a.compute = compute;
    Array<float> left(std::vector<float>{fine}), right(std::vector<float>{1}), result(1);
    Describe(a, nullptr);
    CHECK_CUBLAS(Multiply(a, left.data(), right.data(), result.data(), nullptr));
    EXPECT_EQ(result.Values()[0], compute == CUBLAS_COMPUTE_32F ? fine : 1.0f);
  }
}

TEST_F(CublasLtTest, CapturedAndReplayed) {
  const Case a{1, 1, 1};
  Array<float> left(std::vector<float>{3}), right(std::vector<float>{4}), result(std::vector<float>{0});
  Describe(a, nullptr);
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  CHECK_CUDA(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
  CHECK_CUBLAS(Multiply(a, left.data(), right.data(), result.data(), nullptr));
  CHECK_CUDA(cudaStreamEndCapture(stream_, &graph));
  Forget();
  EXPECT_EQ(result.Values()[0], 0.0f);
  CHECK_CUDA(cudaGraphInstantiate(&executable, graph, 0));
  CHECK_CUDA(cudaGraphLaunch(executable, stream_));
  EXPECT_EQ(result.Values()[0], 12.0f);
  CHECK_CUDA(cudaGraphExecDestroy(executable));
  CHECK_CUDA(cudaGraphDestroy(graph));
}

TEST_F(CublasLtTest, IsFoundByName) {
  void* library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_EQ(dlsym(library, "cublasLtMatmul"), reinterpret_cast<void*>(&cublasLtMatmul));
  EXPECT_STREQ(cublasLtGetStatusName(CUBLAS_STATUS_NOT_SUPPORTED), "CUBLAS_STATUS_NOT_SUPPORTED");
}

}  // namespace
}  // namespace cuda_emulator
