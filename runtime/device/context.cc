#include "runtime/device/context.h"

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

Libraries::Libraries() = default;
Libraries::~Libraries() = default;

OneDnn& Libraries::onednn() {
  if (!onednn_) onednn_ = CallOneDnn("device", [] { return std::make_unique<OneDnn>(); });
  return *onednn_;
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

Context::Context(Device device)
    : device_(device),
      backend_(MakeBackend(device)),
      workspace_(backend_->pool()),
      kernel_{backend_->compute_stream(), libraries_, plans_, workspace_} {}

Context::~Context() = default;

}  // namespace bitgate
