// The benchmarks, each a few rows of the table.
#ifndef BITGATE_TOOLS_BENCH_BENCHMARKS_H_
#define BITGATE_TOOLS_BENCH_BENCHMARKS_H_

#include <cstdint>
#include <vector>

#include "runtime/device/device.h"
#include "tools/bench/measure.h"

namespace bitgate::bench {

// The whole five-level quantizer on `elements` floats against a threaded memcpy of as many.
std::vector<Row> QuantizerRows(int64_t elements, int turns);

// A training step of LeNet-5 at `batch`: Bayesian Bits against float, and against the bare oneDNN calls it contains.
// And one through the C interface, on raw images, against the same step in C++.
std::vector<Row> LeNetStepRows(int64_t batch, int turns);

// An op on few elements through the C interface against the same call in C++.
std::vector<Row> SmallOpRows(int calls, int turns);

// Training steps of ResNet-20 with BSQ and of VGG-7 with Bayesian Bits, each against the float step, and in bfloat16
// (where the processor has it) against float32; with the memory that each takes.
std::vector<Row> CifarRows(int64_t batch, int turns);

// On a GPU many runs are queued, and waited for together; the times are of one.

// The quantizer's kernels against the device's copy of as many floats. Forward reads and writes a tensor, as the copy
// does; backward reads two and writes one. Each may reach 85 % of the copy's bandwidth.
std::vector<Row> GpuQuantizerRows(Device device, int64_t elements, int turns);

struct GpuLeNetSize {
  int64_t batch, batches;  // of images on the device
  int steps;               // of a turn
};

// A training step of LeNet-5 replayed from a graph, with the gather of its batch: against its convolutions and products
// alone, against a float step, and against itself kernel by kernel.
std::vector<Row> GpuLeNetStepRows(Device device, const GpuLeNetSize& size, int turns);

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_BENCHMARKS_H_
