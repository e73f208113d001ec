#include "models/deploy/onnx_quantizer.h"

#include <algorithm>
#include <limits>

namespace bitgate {
namespace {

using onnx::TensorProto;

bool FitsInt8(const Fixed& fixed) { return fixed.qmin >= -128 && fixed.qmax <= 127; }
bool FitsUint8(const Fixed& fixed) { return fixed.qmin >= 0 && fixed.qmax <= 255; }

TensorProto::DataType CodeType(const Fixed& fixed) { return FitsUint8(fixed) ? TensorProto::UINT8 : TensorProto::INT8; }

std::string EmitClip(OnnxGraph& onnx, const std::string& prefix, float low, float high, const std::string& value) {
  return onnx.Node("Clip", {value, onnx.Float(prefix + "/low", low), onnx.Float(prefix + "/high", high)},
                   prefix + "/clip");
}

// The ends of the quantizer's range, for clipping before rounding:
//
// clamp(round(x / s), qmin, qmax) = round(clip(x, fl(qmin s), fl(qmax s)) / s): fl(qmax s) = qmax s (1 + d) with
// |d| <= 2^-24 (or exact, where s is subnormal), and dividing adds one more such factor; as |qmax| < 2^16, the quotient
// is closer than 2^-7 to qmax and rounds to it. So every x from fl(qmax s) up gives qmax on both sides (division and
// rounding are monotonic, hence the left side gives at least qmax before its clamp); every x below is not changed by
// the clip, and gives at most qmax, so the clamp does not change it either. Ties are therefore those of round(x / s).
// Likewise at qmin.
float Low(const Fixed& fixed) { return static_cast<float>(fixed.qmin) * fixed.scale; }
float High(const Fixed& fixed) { return static_cast<float>(fixed.qmax) * fixed.scale; }

// Clips where QuantizeLinear's saturation would not, with Max and Min, and at least once. Between a layer and its
// QuantizeLinear, onnxruntime sees through Clip and Relu: it would round the layer's bias to multiples of the input's
// times the weight's scale (half a step of a 2-bit output is easily lost) and weights that we keep in float to int8.
std::string ClipCodes(OnnxGraph& onnx, const std::string& prefix, const Fixed& fixed, std::string value) {
  const bool is_uint8 = CodeType(fixed) == TensorProto::UINT8;
  if (fixed.qmin > (is_uint8 ? 0 : -128)) {
    value = onnx.Node("Max", {value, onnx.Float(prefix + "/low", Low(fixed))}, prefix + "/max");
  }
  if (is_uint8 || fixed.qmax < 127) {
    value = onnx.Node("Min", {value, onnx.Float(prefix + "/high", High(fixed))}, prefix + "/min");
  }
  return value;
}

std::string ZeroPoint(OnnxGraph& onnx, const std::string& prefix, TensorProto::DataType type) {
  return onnx.Bytes(prefix + "/zero_point", type, {}, std::string(1, '\0'));
}

std::string EmitByteCodes(OnnxGraph& onnx, const std::string& prefix, const Fixed& fixed, const std::string& value) {
  const std::string scale = onnx.Float(prefix + "/scale", fixed.scale);
  const std::string zero_point = ZeroPoint(onnx, prefix, CodeType(fixed));
  const std::string clipped = ClipCodes(onnx, prefix, fixed, value);
  const std::string codes = onnx.Node("QuantizeLinear", {clipped, scale, zero_point}, prefix + "/codes");
  return onnx.Node("DequantizeLinear", {codes, scale, zero_point}, prefix + "/dequantized");
}

// Wider codes stay float: code and scale * code are what the formula computes in float32.
std::string EmitFloatGrid(OnnxGraph& onnx, const std::string& prefix, const Fixed& fixed, const std::string& value) {
  const std::string scale = onnx.Float(prefix + "/scale", fixed.scale);
  const std::string clipped = EmitClip(onnx, prefix, Low(fixed), High(fixed), value);
  const std::string steps = onnx.Node("Div", {clipped, scale}, prefix + "/steps");
  const std::string codes = onnx.Node("Round", {steps}, prefix + "/codes");  // half to even
  return onnx.Node("Mul", {codes, scale}, prefix + "/dequantized");
}

template <class T>
std::vector<T> Reordered(const std::vector<T>& values, const std::vector<int64_t>& order) {
  std::vector<T> result;
  result.reserve(order.size());
  for (const int64_t index : order) result.push_back(values[static_cast<size_t>(index)]);
  return result;
}

template <class T>
bool Fit(const std::vector<int32_t>& codes) {
  return std::all_of(codes.begin(), codes.end(), [](int32_t code) {
    return code >= std::numeric_limits<T>::min() && code <= std::numeric_limits<T>::max();
  });
}

template <class T>
std::string CodeBytes(const std::vector<int32_t>& codes, const std::vector<int64_t>& order) {
  std::string bytes;
  bytes.reserve(order.size() * sizeof(T));
  for (const int64_t index : order) {
    const T code = static_cast<T>(codes[static_cast<size_t>(index)]);
    bytes.append(reinterpret_cast<const char*>(&code), sizeof(code));
  }
  return bytes;
}

// Zeros, one for each scale; no dims: a scalar.
std::string WeightZeroPoint(OnnxGraph& onnx, const std::string& name, TensorProto::DataType type, const Dims& dims) {
  const size_t count = dims.empty() ? 1 : static_cast<size_t>(dims[0]);
  const size_t width = type == TensorProto::INT16 ? sizeof(int16_t) : sizeof(int8_t);
  return onnx.Bytes(name + "/zero_point", type, dims, std::string(count * width, '\0'));
}

}  // namespace

bool AbsorbsRelu(const Fixed& fixed) {
  switch (fixed.encoding) {
    case Encoding::kInteger:
      return fixed.qmin == 0;
    case Encoding::kClip:
      return fixed.low >= 0;
    case Encoding::kZero:
      return true;
    case Encoding::kFloat:
      return false;
  }
  return false;
}

bool FitsByte(const Fixed& fixed) {
  return fixed.encoding == Encoding::kInteger && (FitsInt8(fixed) || FitsUint8(fixed));
}

std::string EmitActivation(OnnxGraph& onnx, const std::string& prefix, const Fixed& fixed, const Dims& dims,
                           const std::string& value) {
  switch (fixed.encoding) {
    case Encoding::kInteger:
      return FitsByte(fixed) ? EmitByteCodes(onnx, prefix, fixed, value) : EmitFloatGrid(onnx, prefix, fixed, value);
    case Encoding::kClip:
      return EmitClip(onnx, prefix, fixed.low, fixed.high, value);
    case Encoding::kZero:
      return onnx.ForWholeBatch(prefix + "/zero", dims, Dims(dims.size(), 1), {0.0f});
    case Encoding::kFloat:
      return value;
  }
  return value;
}

TensorProto::DataType WeightType(const FrozenLayer& layer) {
  if (layer.weight.encoding != Encoding::kInteger) return TensorProto::FLOAT;
  if (Fit<int8_t>(layer.codes)) return TensorProto::INT8;
  return Fit<int16_t>(layer.codes) ? TensorProto::INT16 : TensorProto::FLOAT;
}

std::string EmitWeight(OnnxGraph& onnx, const std::string& name, const FrozenLayer& layer, const Dims& dims,
                       const std::vector<int64_t>& order) {
  const TensorProto::DataType type = WeightType(layer);
  if (type == TensorProto::FLOAT) return onnx.Floats(name, dims, Reordered(layer.values, order));
  const std::string bytes =
      type == TensorProto::INT16 ? CodeBytes<int16_t>(layer.codes, order) : CodeBytes<int8_t>(layer.codes, order);
  const std::string codes = onnx.Bytes(name, type, dims, bytes);
  if (layer.scales.empty()) {
    const std::string scale = onnx.Float(name + "/scale", layer.weight.scale);
    return onnx.Node("DequantizeLinear", {codes, scale, WeightZeroPoint(onnx, name, type, {})}, name + "/dequantized");
  }
  const std::string scales = onnx.Floats(name + "/scale", {dims[0]}, layer.scales);
  return onnx.Node("DequantizeLinear", {codes, scales, WeightZeroPoint(onnx, name, type, {dims[0]})},
                   name + "/dequantized", {}, {{"axis", 0}});
}

}  // namespace bitgate
