#include "api/common/devices.h"

#include <cstring>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/device/context.h"

namespace bitgate::api {
namespace {

size_t BytesOf(const Tensor& tensor) { return static_cast<size_t>(tensor.size()) * SizeOf(tensor.dtype()); }

// One for each device, to the end of the process: waking a GPU up for each copy would cost more than the copy. Its
// backend is called by several threads at once: only for what neither changes nor captures anything of its own.
Backend& BackendOf(Device device) {
  static std::mutex& mutex = *new std::mutex;
  static auto& contexts = *new std::vector<std::unique_ptr<Context>>;
  const std::lock_guard<std::mutex> lock(mutex);
  for (const std::unique_ptr<Context>& context : contexts) {
    if (context->device() == device) return context->backend();
  }
  contexts.push_back(std::make_unique<Context>(device));
  return contexts.back()->backend();
}

}  // namespace

void CopyToHost(void* target, const Tensor& source) {
  const size_t bytes = BytesOf(source);
  if (bytes == 0) return;
  if (source.device().type == DeviceType::kCpu) {
    std::memcpy(target, source.view().data, bytes);
  } else {
    BackendOf(source.device()).CopyToHost(target, source.view().data, bytes);
  }
}

void CopyFromHost(const Tensor& target, const void* source) {
  const size_t bytes = BytesOf(target);
  if (bytes == 0) return;
  if (target.device().type == DeviceType::kCpu) {
    std::memcpy(target.view().data, source, bytes);
    return;
  }
  BackendOf(target.device()).CopyFromHost(target.view().data, source, bytes);
}

Tensor OnHost(const Tensor& tensor) {
  if (tensor.device().type == DeviceType::kCpu) return tensor;
  Tensor copy(std::make_shared<Storage>(BackendOf({}).pool(), BytesOf(tensor)), tensor.shape(), tensor.dtype());
  CopyToHost(copy.raw_data(), tensor);
  return copy;
}

void Synchronize(Device device) { BackendOf(device).Synchronize(); }

Stream ComputeStream(Device device) { return BackendOf(device).compute_stream(); }

void KeepOpen(Device device) {
  if (device.type != DeviceType::kCpu) BackendOf(device);
}

}  // namespace bitgate::api
