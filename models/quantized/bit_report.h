// The report of a network's bits: where they are, and where the bit operations go.
#ifndef BITGATE_MODELS_QUANTIZED_BIT_REPORT_H_
#define BITGATE_MODELS_QUANTIZED_BIT_REPORT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/quantized/cost.h"

namespace bitgate {

// One layer: conv2d, linear, add or pad_channels.
struct BitReportRow {
  std::string layer;
  std::string kind;
  bool has_weight;                     // false for add and pad_channels
  std::optional<int> weight_bits;      // absent: no weight, or one that is not quantized
  std::optional<int> activation_bits;  // of its output; absent: not quantized
  int64_t kept_channels, channels;     // of its output
  double macs, bops;                   // per image
  double bops_share;                   // of the network's BOPs, 0 to 1
  int64_t bytes;                       // of weights and biases
};

struct BitReport {
  std::string network;
  std::vector<BitReportRow> rows;   // in the order of nodes
  int64_t kept_channels, channels;  // of layers with a weight
  double macs, bops;
  double relative_bops;  // to 32-bit weights and activations, 0 to 1
  int64_t bytes, float_bytes;
  double weight_compression;  // NetworkCost::weight_compression
};

// Throws what ComputeCost throws.
BitReport MakeBitReport(const Graph& graph, const SiteStates& states);

// An aligned table with a line of totals, for reading: counts are rounded to four digits.
std::string FormatTable(const BitReport& report);

// Exact, one line, keys always in the same order:
//   {"network": ...,
//    "layers": [{"layer", "kind", "weight_bits", "activation_bits", "kept_channels", "channels", "macs", "bops",
//                "bops_share", "bytes"}, ...],
//    "totals": {"kept_channels", "channels", "macs", "bops", "relative_bops", "bytes", "float_bytes",
//                "weight_compression"}}
// Bits that are absent in the row are null.
std::string ToJson(const BitReport& report);

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_BIT_REPORT_H_
