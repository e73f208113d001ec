// cuBLASLt, opened when a kernel needs it first. For .cu files only.
#ifndef BITGATE_RUNTIME_DEVICE_CUBLASLT_H_
#define BITGATE_RUNTIME_DEVICE_CUBLASLT_H_

#include <cublasLt.h>

#include "runtime/device/kernel_context.h"

namespace bitgate {
namespace cuda {

// What we call of it.
#define BG_CUBLASLT_FUNCTIONS(F)          \
  F(cublasLtGetVersion)                   \
  F(cublasLtGetStatusString)              \
  F(cublasLtCreate)                       \
  F(cublasLtDestroy)                      \
  F(cublasLtMatmulDescCreate)             \
  F(cublasLtMatmulDescSetAttribute)       \
  F(cublasLtMatmulDescDestroy)            \
  F(cublasLtMatrixLayoutCreate)           \
  F(cublasLtMatrixLayoutDestroy)          \
  F(cublasLtMatmulPreferenceCreate)       \
  F(cublasLtMatmulPreferenceSetAttribute) \
  F(cublasLtMatmulPreferenceDestroy)      \
  F(cublasLtMatmulAlgoGetHeuristic)       \
  F(cublasLtMatmul)

struct CublasLtFunctions {
#define BG_MEMBER(name) decltype(&::name) name;
  BG_CUBLASLT_FUNCTIONS(BG_MEMBER)
#undef BG_MEMBER
};

// Throws UnsupportedDevice, saying what was tried, when the library is not found or too old.
const CublasLtFunctions& LoadCublasLt();

// The version of the library, 0 while nothing has opened it.
size_t OpenedCublasLtVersion();

// The library's handle of one context.
class CublasLt {
 public:
  CublasLt();
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  const CublasLtFunctions& api;
  cublasLtHandle_t handle = nullptr;
};

// The context's handle; the stream is an argument of each product. Throws NotCapturable when it would be made inside a
// capture.
CublasLt& UseCublasLt(KernelContext& context);

// Throws Internal, quoting the expression and the library's text.
void CheckCublasLt(cublasStatus_t status, const char* expression);

}  // namespace cuda
}  // namespace bitgate

#define BG_CHECK_CUBLASLT(expression) ::bitgate::cuda::CheckCublasLt((expression), #expression)

#endif  // BITGATE_RUNTIME_DEVICE_CUBLASLT_H_
