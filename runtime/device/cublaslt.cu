#include <atomic>

#include "runtime/base/error.h"
#include "runtime/device/cublaslt.h"
#include "runtime/device/cuda_check.h"
#include "runtime/device/cuda_library.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr const char* kTitle = "cuBLASLt 13";
constexpr size_t kOldestVersion = 130000;

std::atomic<size_t> opened_version{0};

CublasLtFunctions* Load() {
  const SharedLibrary library(kTitle, "libcublasLt.so.13");
  auto functions = std::make_unique<CublasLtFunctions>();
#define BG_FIND(name) functions->name = reinterpret_cast<decltype(&::name)>(library.Function(#name));
  BG_CUBLASLT_FUNCTIONS(BG_FIND)
#undef BG_FIND
  const size_t version = functions->cublasLtGetVersion();
  if (version < kOldestVersion) {
    throw UnsupportedDevice(kTitle, ": expected version ", kOldestVersion, " or newer, got ", version);
  }
  opened_version = version;
  return functions.release();
}

}  // namespace

const CublasLtFunctions& LoadCublasLt() {
  static const CublasLtFunctions& functions = *Load();  // for good, like the library
  return functions;
}

size_t OpenedCublasLtVersion() { return opened_version; }

CublasLt::CublasLt() : api(LoadCublasLt()) { BG_CHECK_CUBLASLT(api.cublasLtCreate(&handle)); }

CublasLt::~CublasLt() {
  if (!DriverIsGone()) api.cublasLtDestroy(handle);
}

CublasLt& UseCublasLt(KernelContext& context) {
  return context.libraries.Get<CublasLt>(kTitle, [&] {
    RefuseInCapture(context.stream, "the first use of cuBLASLt");
    return std::make_shared<CublasLt>();
  });
}

void CheckCublasLt(cublasStatus_t status, const char* expression) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const std::string text = LoadCublasLt().cublasLtGetStatusString(status);
  if (status == CUBLAS_STATUS_ALLOC_FAILED) {
    throw ResourceExhausted("cublaslt: out of memory in ", expression, ": ", text);
  }
  throw Internal("cublaslt: ", expression, " failed: ", text);
}

}  // namespace cuda
}  // namespace bitgate
