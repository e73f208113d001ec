#include <atomic>

#include "runtime/base/error.h"
#include "runtime/device/cuda_check.h"
#include "runtime/device/cuda_library.h"
#include "runtime/device/cudnn.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr const char* kTitle = "cuDNN 9";
constexpr size_t kOldestVersion = 90000;

std::atomic<size_t> opened_version{0};

CudnnFunctions* Load() {
  const SharedLibrary library(kTitle, "libcudnn.so.9");
  // It opens these itself when they are needed, and ends the program where one is missing.
  for (const char* part : {"libcudnn_graph.so.9", "libcudnn_ops.so.9", "libcudnn_cnn.so.9"})
    SharedLibrary(kTitle, part);
  auto functions = std::make_unique<CudnnFunctions>();
#define BG_FIND(name) functions->name = reinterpret_cast<decltype(&::name)>(library.Function(#name));
  BG_CUDNN_FUNCTIONS(BG_FIND)
#undef BG_FIND
  const size_t version = functions->cudnnGetVersion();
  if (version < kOldestVersion) {
    throw UnsupportedDevice(kTitle, ": expected version ", kOldestVersion, " or newer, got ", version);
  }
  opened_version = version;
  return functions.release();
}

}  // namespace

const CudnnFunctions& LoadCudnn() {
  static const CudnnFunctions& functions = *Load();  // for good, like the library
  return functions;
}

size_t OpenedCudnnVersion() { return opened_version; }

Cudnn::Cudnn() : api(LoadCudnn()) { BG_CHECK_CUDNN(api.cudnnCreate(&handle)); }

Cudnn::~Cudnn() {
  if (!DriverIsGone()) api.cudnnDestroy(handle);
}

Cudnn& UseCudnn(KernelContext& context) {
  Cudnn& cudnn = context.libraries.Get<Cudnn>(kTitle, [&] {
    RefuseInCapture(context.stream, "the first use of cuDNN");
    return std::make_shared<Cudnn>();
  });
  BG_CHECK_CUDNN(cudnn.api.cudnnSetStream(cudnn.handle, static_cast<cudaStream_t>(context.stream.handle)));
  return cudnn;
}

void CheckCudnn(cudnnStatus_t status, const char* expression) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  const std::string text = LoadCudnn().cudnnGetErrorString(status);
  if (status == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED) {
    throw ResourceExhausted("cudnn: out of memory in ", expression, ": ", text);
  }
  throw Internal("cudnn: ", expression, " failed: ", text);
}

}  // namespace cuda
}  // namespace bitgate
