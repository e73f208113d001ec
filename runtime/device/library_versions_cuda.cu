#include <cuda_runtime_api.h>

#include "runtime/device/cublaslt.h"
#include "runtime/device/cudnn.h"
#include "runtime/device/library_versions.h"

namespace bitgate {
namespace cuda {
namespace {

// `version` is major * major_step + minor * minor_step + patch; 0 where there is none.
void Add(std::map<std::string, std::string>* versions, const char* name, size_t version, size_t major_step,
         size_t minor_step, bool with_patch) {
  if (version == 0) return;
  std::string text = std::to_string(version / major_step) + "." + std::to_string(version % major_step / minor_step);
  if (with_patch) text += "." + std::to_string(version % minor_step);
  (*versions)[name] = text;
}

}  // namespace

void AddLibraryVersions(std::map<std::string, std::string>* versions) {
  int runtime = 0, driver = 0;
  if (cudaRuntimeGetVersion(&runtime) != cudaSuccess || cudaDriverGetVersion(&driver) != cudaSuccess) {
    cudaGetLastError();  // so that it does not show up in the next call
  }
  Add(versions, "CUDA", static_cast<size_t>(runtime), 1000, 10, false);
  Add(versions, "CUDA driver", static_cast<size_t>(driver), 1000, 10, false);
  Add(versions, "cuDNN", OpenedCudnnVersion(), 10000, 100, true);
  Add(versions, "cuBLASLt", OpenedCublasLtVersion(), 10000, 100, true);
}

}  // namespace cuda
}  // namespace bitgate
