#include "runtime/base/cpu.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

// The extensions that the kernel reports, under the same names.
std::set<std::string> KernelFlags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.compare(0, 5, "flags") != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
  }
  return {};
}

TEST(CpuTest, NamesAreThoseOfTheEnvironmentVariable) {
  EXPECT_EQ(IsaName(Isa::kScalar), "scalar");
  EXPECT_EQ(IsaName(Isa::kAvx2), "avx2");
  EXPECT_EQ(IsaName(Isa::kAvx512), "avx512");
  EXPECT_THROW(IsaName(static_cast<Isa>(7)), Error);
}

TEST(CpuTest, SupportIsDownwardClosed) {
  EXPECT_TRUE(IsaSupported(Isa::kScalar));
  EXPECT_TRUE(!IsaSupported(Isa::kAvx512) || IsaSupported(Isa::kAvx2));
}

#if defined(__x86_64__)
TEST(CpuTest, AgreesWithTheCompiler) {
  EXPECT_EQ(IsaSupported(Isa::kAvx2), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
  EXPECT_EQ(IsaSupported(Isa::kAvx512), __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                                            __builtin_cpu_supports("avx512vl"));
}
#endif

TEST(CpuTest, AgreesWithTheKernel) {
  const std::set<std::string> flags = KernelFlags();
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags";
  const std::vector<std::string> found = InstructionSets();
  for (const char* name : {"avx2", "fma", "bmi2", "f16c", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
                           "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16"}) {
    EXPECT_EQ(std::count(found.begin(), found.end(), name), static_cast<int>(flags.count(name))) << name;
  }
}

TEST(CpuTest, TheEnvironmentOnlyLowers) {
  EXPECT_EQ(ChooseIsa("scalar"), Isa::kScalar);
  EXPECT_EQ(ChooseIsa("avx2"), IsaSupported(Isa::kAvx2) ? Isa::kAvx2 : Isa::kScalar);
  EXPECT_EQ(ChooseIsa("avx512"), ChooseIsa(nullptr));
  EXPECT_EQ(ChooseIsa(""), ChooseIsa(nullptr));
  EXPECT_TRUE(IsaSupported(ChooseIsa(nullptr)));
}

TEST(CpuTest, AnUnknownNameIsAnError) {
  for (const char* name : {"AVX2", "sse", "avx512 "}) {
    try {
      ChooseIsa(name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(std::string(error.what()),
                "BITGATE_ISA: expected scalar, avx2 or avx512, got '" + std::string(name) + "'");
    }
  }
}

TEST(CpuTest, TheChoiceIsMadeOnce) {
  ASSERT_EQ(setenv("BITGATE_ISA", "nonsense", 1), 0);
  EXPECT_THROW(ActiveIsa(), Error);
  ASSERT_EQ(setenv("BITGATE_ISA", "scalar", 1), 0);
  EXPECT_EQ(ActiveIsa(), Isa::kScalar);
  ASSERT_EQ(unsetenv("BITGATE_ISA"), 0);
  EXPECT_EQ(ActiveIsa(), Isa::kScalar);
}

TEST(CpuTest, Bfloat16UnitsAreAvx512s) {
  const std::set<std::string> flags = KernelFlags();
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags";
  EXPECT_EQ(HasBfloat16Units(), flags.count("avx512_bf16") == 1 && IsaSupported(Isa::kAvx512));
  EXPECT_TRUE(flags.count("amx_bf16") == 0 || HasBfloat16Units());
}

TEST(CpuTest, TheProcessorHasAName) {
  const std::string name = ProcessorName();
  ASSERT_FALSE(name.empty());
  EXPECT_NE(name.front(), ' ');
}

}  // namespace
}  // namespace bitgate
