// Frozen networks made of random numbers, the same ones on every machine.
#ifndef BITGATE_MODELS_DEPLOY_TEST_NETWORKS_H_
#define BITGATE_MODELS_DEPLOY_TEST_NETWORKS_H_

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "models/deploy/fold_batch_norm.h"
#include "models/deploy/frozen_network.h"
#include "models/graph/builder.h"

namespace bitgate {

inline constexpr int kTestFloat = 0;  // instead of a number of bits: Encoding::kFloat

struct TestNetworkOptions {
  int weight_bits = 8;      // 1 to 16, 32 (kClip) or kTestFloat
  int activation_bits = 8;  // likewise
  // Scales are powers of two and biases multiples of 1/64, so that small networks compute without rounding, and ties
  // are common.
  bool exact = false;
  double pruned = 0;                    // probability of a channel, in layers that are prunable
  std::set<std::string> pruned_layers;  // whole, but with Encoding::kInteger
  std::set<std::string> zero_layers;    // Encoding::kZero
  bool zero_pruned_bias = false;        // as freezing does where a reading layer pads
  bool sign_bit_apart = false;          // weights have codes of +-(2^bits - 1), as BSQ's
  uint32_t seed = 1;
};

// [low, high), the same sequence in every standard library.
class TestRandom {
 public:
  explicit TestRandom(uint32_t seed) : engine_(seed) {}
  float Uniform(float low, float high) { return low + (high - low) * static_cast<float>(engine_() >> 8) / 16777216.0f; }
  int Integer(int low, int high) { return low + static_cast<int>(engine_() % static_cast<uint32_t>(high - low + 1)); }

 private:
  std::mt19937 engine_;
};

// A quantizer whose largest value is about `range`.
Fixed MakeTestFixed(int bits, bool is_signed, float range, bool exact);

// Quantized where QuantizationSites says.
FrozenNetwork MakeTestNetwork(const Graph& graph, const TestNetworkOptions& options);

// Of every batch norm of the graph, by node index: the first channel's gamma is 0, the second's negative, others
// random.
std::map<int, BatchNormValues> MakeTestNorms(const Graph& graph, uint32_t seed);

// 8 x 8 x channels: conv1 (6, 3x3) relu1 pool1 (max 2) conv2 (8, 2x2) relu2 flatten fc1 (12) relu3 fc2 (4).
GraphBuilder SmallImageGraph(int64_t channels);

// 6 x 6 x 2: stem (4) norm0 relu0, conv1 (4) norm1 relu1 conv2 (4) norm2, their sum, relu2, conv3 (6) norm3
// whose output is signed, depthwise (6) norm4 relu4 pool (average 3) flatten fc (9) norm5 relu5 head (3). Kernels
// of 3 with padding.
GraphBuilder NormalizedResidualGraph();

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_TEST_NETWORKS_H_
