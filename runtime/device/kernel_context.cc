#include "runtime/device/kernel_context.h"

#include "runtime/device/onednn.h"

namespace bitgate {

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

}  // namespace bitgate
