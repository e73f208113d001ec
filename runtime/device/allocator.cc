#include "runtime/device/allocator.h"

#include <algorithm>
#include <cstdlib>
#include <string>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

constexpr size_t kAlignment = 64;

class HostMemorySource : public MemorySource {
 public:
  Device device() const override { return {}; }
  void* Acquire(size_t bytes) override { return std::aligned_alloc(kAlignment, bytes); }
  void Release(void* block) noexcept override { std::free(block); }
};

}  // namespace

std::unique_ptr<MemorySource> HostMemory() { return std::make_unique<HostMemorySource>(); }

Pool::Pool(std::unique_ptr<MemorySource> source) : source_(std::move(source)) {}

Pool::~Pool() { Trim(); }

size_t Pool::SizeClass(size_t bytes) {
  if (bytes <= kAlignment) return kAlignment;
  if (bytes > (size_t{1} << 62)) throw ResourceExhausted("pool: expected fewer than 2^62 bytes, got ", bytes);
  size_t power = kAlignment;
  while (power < bytes / 2 + bytes % 2) power *= 2;
  // Four steps between powers of two bound the waste; steps stay multiples of the alignment.
  const size_t step = std::max(kAlignment, power / 4);
  return (bytes + step - 1) / step * step;
}

void* Pool::Allocate(size_t bytes) {
  const size_t size = SizeClass(bytes);
  std::lock_guard<std::mutex> lock(mutex_);
  void* block = nullptr;
  auto& idle = idle_[size];
  if (!idle.empty()) {
    block = idle.back();
    idle.pop_back();
  } else {
    block = AcquireLocked(size);
  }
  statistics_.in_use_bytes += size;
  statistics_.peak_in_use_bytes = std::max(statistics_.peak_in_use_bytes, statistics_.in_use_bytes);
  return block;
}

void* Pool::AcquireLocked(size_t size) {
  const int64_t pooled = statistics_.system_bytes - statistics_.in_use_bytes;
  void* block = source_->Acquire(size);
  if (block == nullptr) {
    TrimLocked();
    block = source_->Acquire(size);
  }
  if (block == nullptr) {
    const int64_t free = source_->FreeBytes();
    throw ResourceExhausted("out of memory on ", ToString(device()), ": asked for ", size, " bytes with ",
                            statistics_.in_use_bytes, " in use and ", pooled, " pooled",
                            free < 0 ? "" : ", " + std::to_string(free) + " free on the device");
  }
  ++statistics_.system_allocations;
  statistics_.system_bytes += size;
  return block;
}

void Pool::Free(void* block, size_t bytes) noexcept {
  const size_t size = SizeClass(bytes);
  std::lock_guard<std::mutex> lock(mutex_);
  idle_[size].push_back(block);
  statistics_.in_use_bytes -= size;
}

void Pool::Trim() noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
  TrimLocked();
}

void Pool::TrimLocked() noexcept {
  for (auto& [size, blocks] : idle_) {
    for (void* block : blocks) source_->Release(block);
    statistics_.system_bytes -= size * blocks.size();
    blocks.clear();
  }
}

PoolStatistics Pool::statistics() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return statistics_;
}

}  // namespace bitgate
