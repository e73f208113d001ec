// The bare oneDNN calls of a LeNet-5 training step, in the layouts the library likes best: the least a step can take.
#ifndef BITGATE_TOOLS_BENCH_ONEDNN_CALLS_H_
#define BITGATE_TOOLS_BENCH_ONEDNN_CALLS_H_

#include <cstdint>
#include <functional>
#include <vector>

namespace bitgate::bench {

// Convolutions and products, forward and backward (no input gradient of the first layer), each ready to run.
std::vector<std::function<void()>> LeNetOneDnnCalls(int64_t batch);

}  // namespace bitgate::bench

#endif  // BITGATE_TOOLS_BENCH_ONEDNN_CALLS_H_
