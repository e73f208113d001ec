// Stands before the toolkit's header of the same name: what nvcc knows by itself, for g++, and the launch of a kernel.
//
// A kernel is an ordinary function here, called once per thread. The host's functions are the toolkit's own
// declarations, defined by the emulator.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_RUNTIME_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_RUNTIME_H_

#include <cuda_runtime_api.h>
#include <vector_functions.h>

#include "cuda_emulator/atomics.h"
#include "cuda_emulator/device.h"
#include "cuda_emulator/launch.h"
#include "cuda_emulator/warp.h"

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_RUNTIME_H_
