// Kernels of the optimizer steps: they update parameters and moments in place. Arrays are contiguous float32 of the
// sizes given (the op checks), and no two of one call overlap.
#ifndef BITGATE_OPS_OPTIM_OPTIM_KERNELS_H_
#define BITGATE_OPS_OPTIM_OPTIM_KERNELS_H_

#include "ops/optim/optim_math.h"
#include "runtime/device/kernel_context.h"
#include "runtime/kernel/per_isa.h"
#include "runtime/tensor/view.h"

namespace bitgate {

// One ParameterUpdate, as the kernel sees it.
struct RowUpdate {
  float* parameter;       // [rows, elements]
  const float* gradient;  // [elements], or null for zeros
  float* first_moment;    // [rows, elements], null where unused
  float* second_moment;   // as above
  const float* gain;      // [rows], or null for ones
  const float* decay;     // [rows], or null for zeros
  int64_t rows, elements;
  float low, high;
};

enum class SgdKind : int { kPlain = 0, kMomentum = 1, kNesterov = 2 };

// `updates` are `count` updates whose rows and elements are at least 1.
BG_PER_ISA(void AdamStep(KernelContext& context, const RowUpdate* updates, int64_t count,
                         const AdamCoefficients<float>& coefficients, float weight_decay);
           void SgdStep(KernelContext& context, const RowUpdate* updates, int64_t count, SgdKind kind,
                        const SgdCoefficients<float>& coefficients, float weight_decay);)

}  // namespace bitgate

#endif  // BITGATE_OPS_OPTIM_OPTIM_KERNELS_H_
