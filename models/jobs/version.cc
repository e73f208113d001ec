#include "models/jobs/version.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "google/protobuf/message_lite.h"
#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/base/thread_pool.h"
#include "runtime/device/context.h"
#include "runtime/device/library_versions.h"

namespace bitgate::jobs {
namespace {

std::string ProtobufVersion() {
  const int version = GOOGLE_PROTOBUF_VERSION;
  return std::to_string(version / 1000000) + "." + std::to_string(version / 1000 % 1000) + "." +
         std::to_string(version % 1000);
}

void AddDevice(Device device, VersionInfo* info) {
  info->device = ToString(device);
  if (device.type == DeviceType::kCpu) {
    info->device_name = ProcessorName();
    return;
  }
  try {
    info->device_name = Context(device).backend().device_name();
  } catch (const Error& error) {
    info->device_error = error.what();
  }
}

}  // namespace

VersionInfo Version(std::optional<Device> device) {
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
  if (device) AddDevice(*device, &info);
  info.libraries = LibraryVersions();
  info.libraries["protobuf"] = ProtobufVersion();
  return info;
}

std::string ToJson(const VersionInfo& info) {
  nlohmann::ordered_json json = {{"version", info.version},
                                 {"build", info.build},
                                 {"processor", info.processor},
                                 {"instruction_sets", info.instruction_sets},
                                 {"isa", info.isa},
                                 {"threads", info.threads},
                                 {"libraries", info.libraries}};
  const std::pair<const char*, const std::string*> about_device[] = {
      {"device", &info.device}, {"device_name", &info.device_name}, {"device_error", &info.device_error}};
  for (const auto& [key, value] : about_device) {
    if (!value->empty()) json[key] = *value;
  }
  return json.dump();
}

}  // namespace bitgate::jobs
