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

void PoolFamily::Trim() noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Pool* pool : pools_) pool->Trim();
}

PoolStatistics PoolFamily::statistics() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  PoolStatistics sum;
  for (const Pool* pool : pools_) {
    const PoolStatistics one = pool->statistics();
    sum.system_allocations += one.system_allocations;
    sum.system_bytes += one.system_bytes;
    sum.in_use_bytes += one.in_use_bytes;
    sum.peak_in_use_bytes += one.peak_in_use_bytes;
  }
  return sum;
}

Pool::Pool(std::unique_ptr<MemorySource> source, std::shared_ptr<PoolFamily> family, Idle idle)
    : source_(std::move(source)),
      family_(family == nullptr ? std::make_shared<PoolFamily>() : std::move(family)),
      when_idle_(idle) {
  const std::lock_guard<std::mutex> lock(family_->mutex_);
  family_->pools_.push_back(this);
}

Pool::~Pool() {
  {
    const std::lock_guard<std::mutex> lock(family_->mutex_);
    auto& pools = family_->pools_;
    pools.erase(std::remove(pools.begin(), pools.end(), this), pools.end());
  }
  GiveBack();
}

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
  if (void* block = TakeIdle(size)) return block;
  void* block = Acquire(size);
  const std::lock_guard<std::mutex> lock(mutex_);
  ++statistics_.system_allocations;
  statistics_.system_bytes += size;
  CountInUse(size);
  return block;
}

void* Pool::TakeIdle(size_t size) {
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& idle = idle_[size];
  if (idle.empty()) return nullptr;
  void* block = idle.back();
  idle.pop_back();
  CountInUse(size);
  return block;
}

void Pool::CountInUse(size_t size) {
  statistics_.in_use_bytes += size;
  statistics_.peak_in_use_bytes = std::max(statistics_.peak_in_use_bytes, statistics_.in_use_bytes);
}

// Without a lock of its own: the family takes those of all its pools.
void* Pool::Acquire(size_t size) {
  if (void* block = source_->Acquire(size)) return block;
  const PoolStatistics before = family_->statistics();
  family_->Trim();
  if (void* block = source_->Acquire(size)) return block;
  const int64_t free = source_->FreeBytes();
  throw ResourceExhausted("out of memory on ", ToString(device()), ": asked for ", size, " bytes with ",
                          before.in_use_bytes, " in use and ", before.system_bytes - before.in_use_bytes, " pooled",
                          free < 0 ? "" : ", " + std::to_string(free) + " free on the device");
}

void Pool::Free(void* block, size_t bytes) noexcept {
  const size_t size = SizeClass(bytes);
  std::lock_guard<std::mutex> lock(mutex_);
  idle_[size].push_back(block);
  statistics_.in_use_bytes -= size;
}

void Pool::Trim() noexcept {
  if (when_idle_ == Idle::kGoesBack) GiveBack();
}

void Pool::GiveBack() noexcept {
  std::lock_guard<std::mutex> lock(mutex_);
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
