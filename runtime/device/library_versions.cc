#include "runtime/device/library_versions.h"

#include <dnnl.h>

namespace bitgate {

std::map<std::string, std::string> LibraryVersions() {
  const dnnl_version_t& onednn = *dnnl_version();
  std::map<std::string, std::string> versions = {
      {"oneDNN",
       std::to_string(onednn.major) + "." + std::to_string(onednn.minor) + "." + std::to_string(onednn.patch)}};
#if defined(BG_CUDA)
  cuda::AddLibraryVersions(&versions);
#endif
  return versions;
}

}  // namespace bitgate
