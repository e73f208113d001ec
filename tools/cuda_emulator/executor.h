// Runs a kernel: block after block, the threads of a block as fibers.
//
// A fiber runs one thread after another and is parked with the thread that comes to a barrier or shuffle; another fiber
// goes on with the next thread. When every thread is parked or has returned, those are let go whose partners have come.
// Blocks run in an order that differs from launch to launch (the same in every run of a program), and so does the
// direction in which a block's threads run: what relies on an order fails, what sums with atomics varies.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_EXECUTOR_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_EXECUTOR_H_

#include <cuda_runtime_api.h>

#include <functional>

namespace cuda_emulator {

constexpr int kMaxThreads = 1024;

// Returns when the grid has run. Ruins the context, with a message, if it fails.
void RunGrid(const dim3& grid, const dim3& block, const std::function<void()>& thread);

// Whether a kernel runs right now, and where: for the message of a crash.
bool KernelIsRunning();

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_EXECUTOR_H_
