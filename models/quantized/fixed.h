// A frozen quantizer: what remains of a tensor's quantization once nothing about it is learned but its range.
//
// One formula for every method, from freezing on:  code = clamp(round(x / scale), qmin, qmax),  y = scale * code
// (round half to even). It is what ONNX's QuantizeLinear / DequantizeLinear and an integer engine compute.
#ifndef BITGATE_MODELS_QUANTIZED_FIXED_H_
#define BITGATE_MODELS_QUANTIZED_FIXED_H_

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace bitgate {

enum class Encoding : int {
  kInteger = 0,  // the formula above, 1 to 16 bits
  kClip = 1,     // 32 bits: clamp(x, low, high) in float32
  kZero = 2,     // 0 bits: the whole tensor is zero
  kFloat = 3,    // not quantized at all
};

struct Fixed {
  Encoding encoding = Encoding::kFloat;
  int bits = 32;
  bool is_signed = false;
  int32_t qmin = 0, qmax = 0;  // kInteger
  float scale = 0;             // kInteger, > 0
  float low = 0, high = 0;     // where the method clipped: kClip's bounds, the straight-through range of kInteger
  float range = 0;             // the learned range end beta that scale, low and high belong to and are proportional to
  std::vector<bool> keep;      // weights: per output channel, false = pruned (its weights are zero); activations: empty
};

// As JSON, exact, and back. FixedFromJson throws DataLoss for anything else; `where` begins the message.
nlohmann::ordered_json ToJson(const Fixed& fixed);
Fixed FixedFromJson(const nlohmann::json& json, const std::string& where);

}  // namespace bitgate

#endif  // BITGATE_MODELS_QUANTIZED_FIXED_H_
