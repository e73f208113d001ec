// What this build is and what it found on this machine.
#ifndef BITGATE_MODELS_JOBS_VERSION_H_
#define BITGATE_MODELS_JOBS_VERSION_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/device/device.h"

namespace bitgate::jobs {

inline constexpr char kVersion[] = "0.1.0";

struct VersionInfo {
  std::string version, build;  // build: "cpu" or "cuda"
  std::string processor;
  std::vector<std::string> instruction_sets;  // of the processor, those that matter for speed
  std::string isa;                            // that our kernels use: scalar, avx2, avx512
  int threads;
  std::map<std::string, std::string> libraries;  // versions by name
  // Of the device that was asked for: its maker's name, or why it cannot be used.
  std::string device, device_name, device_error;
};

// With a device, also whether there is one; that wakes a GPU up, which takes a moment. Throws nothing that is about it.
VersionInfo Version(std::optional<Device> device = std::nullopt);

// One line, with the fields' names as keys; of those about the device, the ones that are not empty.
std::string ToJson(const VersionInfo& info);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_VERSION_H_
