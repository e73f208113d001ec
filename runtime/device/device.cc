#include "runtime/device/device.h"

#include "runtime/base/error.h"

namespace bitgate {

std::string ToString(Device device) {
  return device.type == DeviceType::kCpu ? "cpu" : "cuda:" + std::to_string(device.index);
}

Device ParseDevice(std::string_view text) {
  if (text == "cpu") return {};
  constexpr std::string_view kCuda = "cuda";
  if (text.substr(0, kCuda.size()) == kCuda) {
    std::string_view rest = text.substr(kCuda.size());
    if (rest.empty()) return {DeviceType::kCuda, 0};
    if (rest.size() >= 2 && rest.size() <= 4 && rest[0] == ':') {
      int index = 0;
      bool digits = true;
      for (char c : rest.substr(1)) {
        digits = digits && c >= '0' && c <= '9';
        index = index * 10 + (c - '0');
      }
      if (digits) return {DeviceType::kCuda, index};
    }
  }
  throw InvalidArgument("device: expected \"cpu\" or \"cuda:<index>\", got \"", std::string(text), "\"");
}

}  // namespace bitgate
