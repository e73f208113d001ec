// Where memory lives and work runs: comparable values, no resources.
#ifndef BITGATE_RUNTIME_DEVICE_DEVICE_H_
#define BITGATE_RUNTIME_DEVICE_DEVICE_H_

#include <string>
#include <string_view>

namespace bitgate {

enum class DeviceType : int { kCpu = 0, kCuda = 1 };

struct Device {
  DeviceType type = DeviceType::kCpu;
  int index = 0;
};

inline bool operator==(Device a, Device b) { return a.type == b.type && a.index == b.index; }
inline bool operator!=(Device a, Device b) { return !(a == b); }

// "cpu" or "cuda:<index>".
std::string ToString(Device device);

// The inverse; "cuda" alone means "cuda:0". Throws InvalidArgument on anything else.
Device ParseDevice(std::string_view text);

// An ordered queue of work on a device. `handle` is the cudaStream_t on CUDA and null on the CPU, where work is done
// when the call returns. Borrowed: the Context owns what the handle stands for.
struct Stream {
  Device device;
  void* handle = nullptr;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_DEVICE_H_
