#include "runtime/device/context.h"

#include <utility>

#include "runtime/base/error.h"
#include "runtime/device/onednn.h"

namespace bitgate {
namespace {

std::unique_ptr<Backend> MakeBackend(Device device) {
  if (device.type == DeviceType::kCpu) return MakeCpuBackend();
#if defined(BG_CUDA)
  return cuda::MakeBackend(device.index);
#else
  throw UnsupportedDevice("device: expected cpu, got ", ToString(device),
                          ": this is a CPU-only build (CUDA needs --config=cuda)");
#endif
}

}  // namespace

std::unique_ptr<CapturedWork> Backend::Capture(const std::function<void()>&) {
  throw NotCapturable("a device that captures nothing");
}

Libraries::Libraries() = default;
Libraries::~Libraries() = default;

OneDnn& Libraries::onednn() {
  if (!onednn_) onednn_ = CallOneDnn("device", [] { return std::make_unique<OneDnn>(); });
  return *onednn_;
}

void Workspace::Swap(Workspace& other) noexcept {
  pool_.swap(other.pool_);
  std::swap(block_, other.block_);
  std::swap(bytes_, other.bytes_);
}

Workspace::~Workspace() {
  if (block_ != nullptr) pool_->Free(block_, bytes_);
}

void* Workspace::Get(size_t bytes) {
  if (block_ == nullptr || bytes > bytes_) {
    if (block_ != nullptr) pool_->Free(block_, bytes_);
    block_ = nullptr;
    block_ = pool_->Allocate(bytes);
    bytes_ = bytes;
  }
  return block_;
}

Context::Context(Device device, Compute compute)
    : device_(device),
      backend_(MakeBackend(device)),
      memory_(backend_->pool()),
      kernel_{backend_->compute_stream(), compute, libraries_, plans_, memory_.workspace} {
  set_compute(compute);
}

void Context::set_compute(Compute compute) {
  if (device_.type == DeviceType::kCpu && compute != Compute::kFloat32) {
    throw UnsupportedDevice("compute: expected float32 on the cpu, got ", ToString(compute));
  }
  kernel_.compute = compute;
}

Context::~Context() = default;

}  // namespace bitgate
