#include "models/jobs/version.h"

#include <dnnl.h>

#include "google/protobuf/stubs/common.h"
#include "runtime/base/cpu.h"
#include "runtime/base/thread_pool.h"

namespace bitgate::jobs {

VersionInfo Version() {
  VersionInfo info;
  info.version = kVersion;
#ifdef BG_CUDA
  info.build = "cuda";
#else
  info.build = "cpu";
#endif
  info.processor = ProcessorName();
  info.instruction_sets = InstructionSets();
  info.isa = IsaName(ActiveIsa());
  info.threads = Threads();
  const dnnl_version_t* onednn = dnnl_version();
  info.onednn =
      std::to_string(onednn->major) + "." + std::to_string(onednn->minor) + "." + std::to_string(onednn->patch);
  info.protobuf = google::protobuf::internal::VersionString(GOOGLE_PROTOBUF_VERSION);
  return info;
}

}  // namespace bitgate::jobs
