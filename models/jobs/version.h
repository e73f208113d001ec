// What this build is and what it found on this machine.
#ifndef BITGATE_MODELS_JOBS_VERSION_H_
#define BITGATE_MODELS_JOBS_VERSION_H_

#include <map>
#include <string>
#include <vector>

namespace bitgate::jobs {

inline constexpr char kVersion[] = "0.1.0";

struct VersionInfo {
  std::string version, build;  // build: "cpu" or "cuda"
  std::string processor;
  std::vector<std::string> instruction_sets;  // of the processor, those that matter for speed
  std::string isa;                            // that our kernels use: scalar, avx2, avx512
  int threads;
  std::map<std::string, std::string> libraries;  // versions by name
};

VersionInfo Version();

// One line, with the fields' names as keys.
std::string ToJson(const VersionInfo& info);

}  // namespace bitgate::jobs

#endif  // BITGATE_MODELS_JOBS_VERSION_H_
