#include "models/quantized/fixed.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "runtime/base/error.h"

namespace bitgate {

nlohmann::ordered_json ToJson(const Fixed& fixed) {
  nlohmann::ordered_json json;
  json["encoding"] = static_cast<int>(fixed.encoding);
  json["bits"] = fixed.bits;
  json["signed"] = fixed.is_signed;
  json["qmin"] = fixed.qmin;
  json["qmax"] = fixed.qmax;
  json["scale"] = fixed.scale;
  json["low"] = fixed.low;
  json["high"] = fixed.high;
  json["range"] = fixed.range;
  json["keep"] = fixed.keep;
  return json;
}

Fixed FixedFromJson(const nlohmann::json& json, const std::string& where) {
  try {
    Fixed fixed;
    const int encoding = json.at("encoding").get<int>();
    if (encoding < 0 || encoding > static_cast<int>(Encoding::kFloat)) throw DataLoss("");
    fixed.encoding = static_cast<Encoding>(encoding);
    fixed.bits = json.at("bits").get<int>();
    fixed.is_signed = json.at("signed").get<bool>();
    fixed.qmin = json.at("qmin").get<int32_t>();
    fixed.qmax = json.at("qmax").get<int32_t>();
    fixed.scale = json.at("scale").get<float>();
    fixed.low = json.at("low").get<float>();
    fixed.high = json.at("high").get<float>();
    fixed.range = json.at("range").get<float>();
    fixed.keep = json.at("keep").get<std::vector<bool>>();
    constexpr int32_t kFarthestCode = 65535;
    bool sound = fixed.bits >= 0 && fixed.bits <= 32 && fixed.qmin <= fixed.qmax && fixed.qmin >= -kFarthestCode &&
                 fixed.qmax <= kFarthestCode;
    for (const float length : {fixed.scale, fixed.low, fixed.high, fixed.range}) sound = sound && std::isfinite(length);
    if (sound) return fixed;
  } catch (const std::exception&) {
  }
  throw DataLoss("quantizer state: expected a frozen quantizer for ", where, ", got something else");
}

}  // namespace bitgate
