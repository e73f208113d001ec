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

// Writes `path` atomically. Opset 13 (21 if a weight has 16-bit codes), one input and one output:
//
//   "input"   float [batch, height, width, channels] or [batch, features], preprocessed
//   "logits"  float [batch, ...] of the graph's output
//
// Weights with integer codes are int8, or int16 where these do not fit, with a DequantizeLinear of one scale or of one
// for each output channel; activations of up to 8 bits pass through QuantizeLinear and DequantizeLinear (uint8, or int8
// if signed, zero point 0) behind Max and Min with the ends of their range. Other tensors are float32, wider
// activations exactly on their grid. Biases are float32, and the file is written so that onnxruntime leaves them so: it
// computes what the network computes, in float32 arithmetic on the grid, up to the order of summation. Inside, images
// are channels first and convolution weights OIHW. Layers with Encoding::kZero are constants, and what only they read
// is not written. Call RemovePrunedChannels before, so that pruned channels are not written either.
//
// Metadata: bitgate.version; bitgate.recipe; bitgate.preprocessing, JSON {layout, shape, scale, mean, std}, of
// (x * scale - mean) / std; bitgate.bits, JSON by tensor ("conv1/weight", "conv1/output") {bits, encoding, scale (a
// list where each output channel has its own) or low and high, signed, channels, kept_channels}; and `extra`. The bytes
// depend on the arguments alone, not on `path`.
//
// `notes` (may be null) gets a sentence for each weight whose codes do not fit int8. Throws InvalidArgument for an
// inconsistent network, a key of `extra` that is taken, or a network that ONNX's file format cannot hold (2 GiB), and
// what AtomicFile throws.
void WriteOnnx(const FrozenNetwork& network, const OnnxMetadata& metadata, const std::string& path,
               std::vector<std::string>* notes);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_ONNX_WRITER_H_
