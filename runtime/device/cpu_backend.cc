#include <cstring>

#include "runtime/device/backend.h"

namespace bitgate {
namespace {

// Work on the CPU is done when the call that asked for it returns.
class CpuBackend : public Backend {
 public:
  const std::shared_ptr<Pool>& pool() override { return pool_; }
  Stream compute_stream() override { return {}; }
  Stream upload_stream() override { return {}; }
  void Synchronize() override {}
  void CopyFromHost(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void CopyToHost(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void CopyWithin(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void FillZero(void* target, size_t bytes) override {
    if (bytes > 0) std::memset(target, 0, bytes);
  }

 private:
  static void Copy(void* target, const void* source, size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
  }

  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>(HostMemory());
};

}  // namespace

std::unique_ptr<Backend> MakeCpuBackend() { return std::make_unique<CpuBackend>(); }

}  // namespace bitgate
