#include "models/jobs/version.h"

#include <nlohmann/json.hpp>

#include "google/protobuf/message_lite.h"
#include "runtime/base/cpu.h"
#include "runtime/base/thread_pool.h"
#include "runtime/device/library_versions.h"

namespace bitgate::jobs {
namespace {

std::string ProtobufVersion() {
  const int version = GOOGLE_PROTOBUF_VERSION;
  return std::to_string(version / 1000000) + "." + std::to_string(version / 1000 % 1000) + "." +
         std::to_string(version % 1000);
}

}  // namespace

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
  info.libraries = LibraryVersions();
  info.libraries["protobuf"] = ProtobufVersion();
  return info;
}

std::string ToJson(const VersionInfo& info) {
  const nlohmann::ordered_json json = {{"version", info.version},
                                       {"build", info.build},
                                       {"processor", info.processor},
                                       {"instruction_sets", info.instruction_sets},
                                       {"isa", info.isa},
                                       {"threads", info.threads},
                                       {"libraries", info.libraries}};
  return json.dump();
}

}  // namespace bitgate::jobs
