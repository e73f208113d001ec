#include "ops/quant/bsq/bsq_layer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "ops/quant/bsq/bsq_operand.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

constexpr const char* kFromFloat = "bsq_from_float";
constexpr const char* kAdjust = "bsq_adjust";

// A layer on the host.
struct Codes {
  std::vector<int32_t> codes;  // in [-(2^bits - 1), 2^bits - 1]
  float scale;
  int bits;
};

int32_t Largest(int bits) { return (1 << bits) - 1; }

void CheckFinite(const char* op, const char* what, float value) {
  if (!std::isfinite(value)) throw InvalidArgument(op, ": expected finite ", what, ", got ", value);
}

// The scale with which codes mean the same where 2^bits - 1 is the largest. One rounding; none where bits stay.
float Rescaled(double scale, int bits, int new_bits) {
  return static_cast<float>(scale * BsqLevels(new_bits) / BsqLevels(bits));
}

// P - M in digits.
BsqLayer FromCodes(Context& context, const Codes& layer) {
  const int64_t elements = static_cast<int64_t>(layer.codes.size());
  std::vector<float> planes(2 * layer.bits * elements, 0.0f);
  for (int64_t i = 0; i < elements; ++i) {
    const int sign = layer.codes[i] < 0 ? layer.bits : 0;
    const int32_t magnitude = std::abs(layer.codes[i]);
    for (int b = 0; b < layer.bits; ++b) {
      planes[(sign + b) * elements + i] = static_cast<float>(magnitude >> (layer.bits - 1 - b) & 1);
    }
  }
  return {FromHost(context, planes, {2 * layer.bits, elements}), FromHost<float>(context, {layer.scale}, {1}),
          layer.bits};
}

// u (2^bits - 1) of every weight.
std::vector<float> PlaneSums(Context& context, const BsqLayer& layer) {
  const int64_t elements = CheckBsqPlanes(context, kAdjust, layer.planes, layer.bits);
  CheckOperandShape(context, kAdjust, "scale", layer.scale, {1});
  const std::vector<float> planes = ToHost<float>(context, layer.planes);
  std::vector<float> sums(elements);
  for (int64_t i = 0; i < elements; ++i) {
    sums[i] = BsqPlaneSum<float>(
        layer.bits, [&](int row) { return planes[row * elements + i]; }, [](float value) { return value; });
    CheckFinite(kAdjust, "planes", sums[i]);
  }
  return sums;
}

float ScaleOf(Context& context, const BsqLayer& layer) {
  const float scale = ToHost<float>(context, layer.scale)[0];
  CheckFinite(kAdjust, "scale", scale);
  return scale;
}

// Codes as BsqWeight would round them. Without `saturate` they go as far as the planes do.
Codes ToCodes(Context& context, const BsqLayer& layer, bool saturate) {
  const std::vector<float> sums = PlaneSums(context, layer);
  Codes result{std::vector<int32_t>(sums.size()), ScaleOf(context, layer), layer.bits};
  const float levels = BsqLevels(layer.bits), far = static_cast<float>(2 * Largest(layer.bits) + 1);
  for (size_t i = 0; i < sums.size(); ++i) {
    const float code = saturate ? BsqCode(sums[i], levels, 1.0f) : Clamp(Rint(sums[i] / levels * levels), -far, far);
    result.codes[i] = static_cast<int32_t>(code);
  }
  return result;
}

Codes Requantized(Context& context, const BsqLayer& layer) {
  Codes result = ToCodes(context, layer, /*saturate=*/false);
  const int32_t largest = Largest(result.bits);
  const bool beyond =
      std::any_of(result.codes.begin(), result.codes.end(), [&](int32_t code) { return std::abs(code) > largest; });
  if (!beyond) return result;
  if (result.bits < kBsqMaxBits) {
    result.scale = Rescaled(result.scale, result.bits, result.bits + 1);
    ++result.bits;
  } else {
    for (int32_t& code : result.codes) code = std::clamp(code, -largest, largest);
  }
  return result;
}

// Only the planes in which some code has a digit, and those between; at least one.
void DropPlanes(Codes* layer) {
  int32_t used = 0;
  for (const int32_t code : layer->codes) used |= std::abs(code);
  int leading = 0, trailing = 0;
  while (leading < layer->bits - 1 && (used >> (layer->bits - 1 - leading) & 1) == 0) ++leading;
  while (leading + trailing < layer->bits - 1 && (used >> trailing & 1) == 0) ++trailing;
  for (int32_t& code : layer->codes) code /= 1 << trailing;
  const int before = layer->bits;
  layer->bits -= leading + trailing;
  layer->scale = Rescaled(std::ldexp(layer->scale, trailing), before, layer->bits);
}

}  // namespace

BsqLayer BsqFromFloat(Context& context, const Tensor& weight, int bits) {
  CheckBsqBits(kFromFloat, bits, kBsqMaxBits);
  CheckOperand(context, kFromFloat, "weight", weight);
  const std::vector<float> values = ToHost<float>(context, weight);
  Codes layer{std::vector<int32_t>(values.size()), 0, bits};
  for (const float value : values) {
    CheckFinite(kFromFloat, "weights", value);
    layer.scale = std::max(layer.scale, std::fabs(value));
  }
  const float levels = BsqLevels(bits);
  for (size_t i = 0; i < values.size() && layer.scale > 0; ++i) {
    // Clamped for a scale so small that the product is rounded coarsely, or so large that it overflows.
    layer.codes[i] = static_cast<int32_t>(Rint(Clamp(values[i] * levels / layer.scale, -levels, levels)));
  }
  return FromCodes(context, layer);
}

BsqLayer BsqRequantize(Context& context, const BsqLayer& layer) {
  return FromCodes(context, Requantized(context, layer));
}

BsqLayer BsqAdjust(Context& context, const BsqLayer& layer) {
  Codes codes = Requantized(context, layer);
  DropPlanes(&codes);
  return FromCodes(context, codes);
}

Tensor BsqFloat(Context& context, const BsqLayer& layer) {
  std::vector<float> values = PlaneSums(context, layer);
  const float step = ScaleOf(context, layer) / BsqLevels(layer.bits);
  for (float& value : values) value *= step;
  return FromHost(context, values, {static_cast<int64_t>(values.size())});
}

std::vector<int32_t> BsqCodes(Context& context, const BsqLayer& layer) {
  return ToCodes(context, layer, /*saturate=*/true).codes;
}

}  // namespace bitgate
