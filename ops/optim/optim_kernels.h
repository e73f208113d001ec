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
  const float* scalars;   // [kStepScalars]; read when the kernel runs
  int64_t rows, elements;
  float low, high;
  UpdateKind kind;
};

// `updates` are `count` updates whose rows and elements are at least 1. `proceed` has one int32, or no data: where it
// is 0, nothing changes.
BG_PER_ISA(void OptimizerStep(KernelContext& context, const RowUpdate* updates, int64_t count, ConstView proceed);)
namespace cuda {
void OptimizerStep(KernelContext& context, const RowUpdate* updates, int64_t count, ConstView proceed);
}

}  // namespace bitgate

#endif  // BITGATE_OPS_OPTIM_OPTIM_KERNELS_H_
