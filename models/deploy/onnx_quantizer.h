// Frozen tensors as ONNX nodes.
#ifndef BITGATE_MODELS_DEPLOY_ONNX_QUANTIZER_H_
#define BITGATE_MODELS_DEPLOY_ONNX_QUANTIZER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "models/deploy/frozen_network.h"
#include "models/deploy/onnx_graph.h"

namespace bitgate {

// Whether the quantizer gives for max(x, 0) what it gives for x.
bool AbsorbsRelu(const Fixed& fixed);

// Whether codes are stored as int8 or uint8, between QuantizeLinear and DequantizeLinear.
bool FitsByte(const Fixed& fixed);

// Appends the quantizer of `value`, an activation of shape [batch, dims...] in ONNX's order, and returns its output.
// Same result as ApplyFixed, bit for bit. All names begin with `prefix`.
std::string EmitActivation(OnnxGraph& onnx, const std::string& prefix, const Fixed& fixed, const Dims& dims,
                           const std::string& value);

// INT8 or INT16 where the layer's codes (not their range) fit, else FLOAT.
onnx::TensorProto::DataType WeightType(const FrozenLayer& layer);

// The weight as an initializer of shape `dims`, output channels first, element i being element order[i] of the layer's:
// codes of WeightType with their DequantizeLinear, or float values. Returns the value to multiply with.
std::string EmitWeight(OnnxGraph& onnx, const std::string& name, const FrozenLayer& layer, const Dims& dims,
                       const std::vector<int64_t>& order);

}  // namespace bitgate

#endif  // BITGATE_MODELS_DEPLOY_ONNX_QUANTIZER_H_
