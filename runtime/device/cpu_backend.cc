#include <cstring>

#include "runtime/base/cpu.h"
#include "runtime/base/error.h"
#include "runtime/device/backend.h"

namespace bitgate {
namespace {

class PassedMarker : public Marker {
 public:
  void Record(Lane) override {}
  void HoldBack(Lane) override {}
  bool Passed() override { return true; }
  void Wait() override {}
};

// Work on the CPU is done when the call that asked for it returns.
class CpuBackend : public Backend {
 public:
  std::string device_name() const override { return ProcessorName(); }
  const std::shared_ptr<Pool>& pool() override { return pool_; }
  std::shared_ptr<Pool> MakeCapturePool() override {
    return std::make_shared<Pool>(HostMemory(), nullptr, Idle::kStays);
  }
  const std::shared_ptr<Pool>& host_pool() override { return pool_; }
  Stream compute_stream() override { return {}; }
  void Synchronize() override {}
  void CopyFromHost(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void CopyToHost(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void CopyWithin(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void FillZero(void* target, size_t bytes) override {
    if (bytes > 0) std::memset(target, 0, bytes);
  }
  void Upload(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  void Download(void* target, const void* source, size_t bytes) override { Copy(target, source, bytes); }
  std::unique_ptr<Marker> MakeMarker() override { return std::make_unique<PassedMarker>(); }

 private:
  static void Copy(void* target, const void* source, size_t bytes) {
    if (bytes > 0) std::memcpy(target, source, bytes);
  }

  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>(HostMemory());
};

}  // namespace

std::unique_ptr<CapturedWork> Backend::Capture(const std::function<void()>&) {
  throw NotCapturable("a device that captures nothing");
}

std::unique_ptr<Backend> MakeCpuBackend() { return std::make_unique<CpuBackend>(); }

}  // namespace bitgate
