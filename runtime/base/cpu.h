// What the processor can do, and which of the instruction sets that Bitgate's kernels are built for it uses.
#ifndef BITGATE_RUNTIME_BASE_CPU_H_
#define BITGATE_RUNTIME_BASE_CPU_H_

#include <string>
#include <vector>

namespace bitgate {

// In ascending order: a processor that supports one supports those before it.
//   kAvx2    needs AVX2, FMA, BMI2, F16C          kAvx512  needs those and AVX-512 F, BW, CD, DQ, VL
enum class Isa { kScalar, kAvx2, kAvx512 };

// Whether processor and operating system support it.
bool IsaSupported(Isa isa);

// "scalar", "avx2", "avx512".
std::string IsaName(Isa isa);

// The best supported one, lowered (never raised) to `limit` if that is not null or empty. Throws InvalidArgument for a
// limit that is none of the names.
Isa ChooseIsa(const char* limit);

// ChooseIsa(environment variable BITGATE_ISA), decided at the first call and constant from then on. All choices give
// the same bits; a lower one is for tests and for measuring.
Isa ActiveIsa();

// Whether it multiplies bfloat16 in hardware: AVX-512 BF16, which every processor with AMX-BF16 has too.
bool HasBfloat16Units();

// The processor's name as the operating system knows it, or "unknown processor".
std::string ProcessorName();

// The extensions found here that matter for speed, those beyond Isa too (VNNI, bfloat16, AMX, which oneDNN uses):
// "avx2", "fma", ..., "avx512_vnni", "amx_int8".
std::vector<std::string> InstructionSets();

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_CPU_H_
