// The benchmarks, each a few rows of the table.
#ifndef BITGATE_TOOLS_BENCH_BENCHMARKS_H_
#define BITGATE_TOOLS_BENCH_BENCHMARKS_H_

#include <cstdint>
#include <vector>

#include "tools/bench/measure.h"

namespace bitgate::bench {

// The whole five-level quantizer on `elements` floats against a threaded memcpy of as many.
std::vector<Row> QuantizerRows(int64_t elements, int turns);

// A training step of LeNet-5 at `batch`: Bayesian Bits against float, and against the bare oneDNN calls it contains.
// And one through the C interface, on raw images, against the same step in C++.
std::vector<Row> LeNetStepRows(int64_t batch, int turns);

// An op on few elements through the C interface against the same call in C++.
std::vector<Row> SmallOpRows(int calls, int turns);

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_BENCHMARKS_H_
