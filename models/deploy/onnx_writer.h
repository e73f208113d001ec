// A frozen network as an ONNX file.
#ifndef BITGATE_MODELS_DEPLOY_ONNX_WRITER_H_
#define BITGATE_MODELS_DEPLOY_ONNX_WRITER_H_

#include <map>
#include <string>
#include <vector>

#include "models/deploy/frozen_network.h"

namespace bitgate {

struct OnnxMetadata {
  std::string producer_version;
  std::string recipe;                        // as text
  std::map<std::string, std::string> extra;  // further metadata, by key
};

// Writes `path` atomically. Opset 13, one input and one output:
//
//   "input"   float [batch, height, width, channels] or [batch, features], preprocessed
//   "logits"  float [batch, ...] of the graph's output
//
// Weights with codes that fit are int8 with a DequantizeLinear; activations of up to 8 bits pass through QuantizeLinear
// and DequantizeLinear (uint8, or int8 if signed, zero point 0) behind Max and Min with the ends of their range. Wider
// tensors are float32, exactly on their grid. Biases are float32, and the file is written so that onnxruntime leaves
// them so: it computes what the network computes, in float32 arithmetic on the grid, up to the order of summation.
// Inside, images are channels first and convolution weights OIHW. Layers with Encoding::kZero are constants, and what
// only they read is not written. Call RemovePrunedChannels before, so that pruned channels are not written either.
//
// Metadata: bitgate.version; bitgate.recipe; bitgate.preprocessing, JSON {layout, shape, scale, mean, std}, of
// (x * scale - mean) / std; bitgate.bits, JSON by tensor ("conv1/weight", "conv1/output") {bits, encoding, scale or low
// and high, signed, channels, kept_channels}; and `extra`. The bytes depend on the arguments alone, not on `path`.
//
// `warnings` (may be null) gets a sentence for each weight whose codes do not fit int8 though they have 8 bits or fewer
// than 16. Throws InvalidArgument for an inconsistent network, a key of `extra` that is taken, or a network that ONNX's
// file format cannot hold (2 GiB), and what AtomicFile throws.
void WriteOnnx(const FrozenNetwork& network, const OnnxMetadata& metadata, const std::string& path,
               std::vector<std::string>* warnings);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_ONNX_WRITER_H_
