// Pooled memory of one device.
//
// A pool hands out 64-byte aligned blocks and keeps what is given back, by size class, so that a training step asks the
// system for nothing after the first of each batch shape. Thread-safe. On CUDA a block given back may be handed out
// again at once: all work of a GPU runs on one compute stream, and that order makes it safe. Pools of one device are a
// family: when one finds the device's memory out, all of them give back what lies idle.
#ifndef BITGATE_RUNTIME_DEVICE_ALLOCATOR_H_
#define BITGATE_RUNTIME_DEVICE_ALLOCATOR_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/device/device.h"

namespace bitgate {

// The system below a pool. Implementations: host memory, CUDA device memory. Thread-safe.
class MemorySource {
 public:
  virtual ~MemorySource() = default;
  virtual Device device() const = 0;
  // Returns null when memory is out; throws only when the device itself fails.
  virtual void* Acquire(size_t bytes) = 0;
  virtual void Release(void* block) noexcept = 0;
  // What the device has left, for messages; -1 where nobody can tell.
  virtual int64_t FreeBytes() noexcept { return -1; }
};

std::unique_ptr<MemorySource> HostMemory();

struct PoolStatistics {
  int64_t system_allocations = 0;  // times the system was asked, ever
  int64_t system_bytes = 0;        // held from the system now
  int64_t in_use_bytes = 0;        // handed out now
  int64_t peak_in_use_bytes = 0;
};

class Pool;

// The pools of one device.
class PoolFamily {
 public:
  // Every pool of it gives back what lies idle.
  void Trim() noexcept;
  // Sums over its pools.
  PoolStatistics statistics() const;

 private:
  friend class Pool;
  mutable std::mutex mutex_;  // taken before a pool's own
  std::vector<Pool*> pools_;
};

// Whether a pool's idle blocks may go back to the system while it lives. Not where somebody counts on finding them at
// their addresses: captured work does.
enum class Idle { kGoesBack, kStays };

class Pool {
 public:
  explicit Pool(std::unique_ptr<MemorySource> source, std::shared_ptr<PoolFamily> family = nullptr,
                Idle idle = Idle::kGoesBack);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  Device device() const { return source_->device(); }

  // Never null, also for 0 bytes. Throws ResourceExhausted, naming what was asked, what is in use and pooled in its
  // family and what the device has left, after giving idle blocks back to the system did not help.
  void* Allocate(size_t bytes);
  // `bytes` is what was asked for.
  void Free(void* block, size_t bytes) noexcept;
  // Gives idle blocks back to the system, unless they are to stay.
  void Trim() noexcept;

  PoolStatistics statistics() const;

  // The size that is really reserved for a request: at most 1/4 larger, at least 64 bytes.
  static size_t SizeClass(size_t bytes);

 private:
  // Null where none lies idle.
  void* TakeIdle(size_t size);
  void CountInUse(size_t size);  // under the lock
  void* Acquire(size_t size);
  void GiveBack() noexcept;

  std::unique_ptr<MemorySource> source_;
  std::shared_ptr<PoolFamily> family_;
  Idle when_idle_;
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> idle_;
  PoolStatistics statistics_;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_ALLOCATOR_H_
