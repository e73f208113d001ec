#include "runtime/base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr Isa kIsas[] = {Isa::kScalar, Isa::kAvx2, Isa::kAvx512};

// Register state that the operating system must save for an extension to be usable (bits of XCR0).
constexpr uint64_t kNoState = 0;
constexpr uint64_t kYmmState = 0x6;
constexpr uint64_t kZmmState = 0xe6;
constexpr uint64_t kTileState = 0x60000;

enum CpuidRegister { kEax, kEbx, kEcx, kEdx };

// Where cpuid reports it. Read here and not through __builtin_cpu_supports, whose names differ between compilers.
struct Extension {
  const char* name;
  unsigned leaf, subleaf;
  CpuidRegister where;
  int bit;
  uint64_t state;
};

constexpr Extension kExtensions[] = {
    {"fma", 1, 0, kEcx, 12, kYmmState},         {"f16c", 1, 0, kEcx, 29, kYmmState},
    {"avx2", 7, 0, kEbx, 5, kYmmState},         {"bmi2", 7, 0, kEbx, 8, kNoState},
    {"avx512f", 7, 0, kEbx, 16, kZmmState},     {"avx512dq", 7, 0, kEbx, 17, kZmmState},
    {"avx512cd", 7, 0, kEbx, 28, kZmmState},    {"avx512bw", 7, 0, kEbx, 30, kZmmState},
    {"avx512vl", 7, 0, kEbx, 31, kZmmState},    {"avx_vnni", 7, 1, kEax, 4, kYmmState},
    {"avx512_vnni", 7, 0, kEcx, 11, kZmmState}, {"avx512_bf16", 7, 1, kEax, 5, kZmmState},
    {"amx_tile", 7, 0, kEdx, 24, kTileState},   {"amx_int8", 7, 0, kEdx, 25, kTileState},
    {"amx_bf16", 7, 0, kEdx, 22, kTileState},
};

#if defined(__x86_64__)
uint64_t EnabledState() {
  unsigned registers[4] = {};
  __get_cpuid(1, &registers[kEax], &registers[kEbx], &registers[kEcx], &registers[kEdx]);
  const bool readable = (registers[kEcx] >> 27 & 1) != 0;  // OSXSAVE
  if (!readable) return 0;
  uint32_t low, high;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t{high} << 32 | low;
}

bool Found(const Extension& extension) {
  unsigned registers[4] = {};
  // Answers 0 for a leaf that the processor does not have.
  __get_cpuid_count(extension.leaf, extension.subleaf, &registers[kEax], &registers[kEbx], &registers[kEcx],
                    &registers[kEdx]);
  return (registers[extension.where] >> extension.bit & 1) != 0 &&
         (EnabledState() & extension.state) == extension.state;
}
#else
bool Found(const Extension&) { return false; }
#endif

bool AllFound(const std::vector<std::string>& names) {
  const std::vector<std::string> found = InstructionSets();
  return std::all_of(names.begin(), names.end(), [&found](const std::string& name) {
    return std::find(found.begin(), found.end(), name) != found.end();
  });
}

std::optional<Isa> IsaFromName(const std::string& name) {
  for (Isa isa : kIsas) {
    if (IsaName(isa) == name) return isa;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string> InstructionSets() {
  std::vector<std::string> names;
  for (const Extension& extension : kExtensions) {
    if (Found(extension)) names.push_back(extension.name);
  }
  return names;
}

bool IsaSupported(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return true;
    case Isa::kAvx2:
      return AllFound({"avx2", "fma", "bmi2", "f16c"});
    case Isa::kAvx512:
      return IsaSupported(Isa::kAvx2) && AllFound({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"});
  }
  return false;
}

std::string IsaName(Isa isa) {
  switch (isa) {
    case Isa::kScalar:
      return "scalar";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  throw Internal("IsaName: expected an instruction set, got ", static_cast<int>(isa));
}

Isa ChooseIsa(const char* limit) {
  Isa highest = Isa::kAvx512;
  if (limit != nullptr && *limit != '\0') {
    const std::optional<Isa> named = IsaFromName(limit);
    if (!named) {
      throw InvalidArgument("BITGATE_ISA: expected scalar, avx2 or avx512, got '", limit, "'");
    }
    highest = *named;
  }
  Isa chosen = Isa::kScalar;
  for (Isa isa : kIsas) {
    if (isa <= highest && IsaSupported(isa)) chosen = isa;
  }
  return chosen;
}

Isa ActiveIsa() {
  static const Isa isa = ChooseIsa(std::getenv("BITGATE_ISA"));
  return isa;
}

bool HasBfloat16Units() { return IsaSupported(Isa::kAvx512) && AllFound({"avx512_bf16"}); }

std::string ProcessorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 10, "model name") != 0) continue;
    const size_t colon = line.find(':');
    const size_t name = colon == std::string::npos ? colon : line.find_first_not_of(" \t", colon + 1);
    if (name != std::string::npos) return line.substr(name);
  }
  return "unknown processor";
}

}  // namespace bitgate
