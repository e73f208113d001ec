#include "tools/cuda_emulator/memory.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "tools/cuda_emulator/state.h"

namespace cuda_emulator {
namespace {

constexpr size_t kRange = size_t{64} << 30;
constexpr size_t kPage = 4096;
constexpr size_t kAlignment = 256;  // CUDA promises it; more would hide overruns

size_t RoundUp(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }
uintptr_t Number(const void* address) { return reinterpret_cast<uintptr_t>(address); }

}  // namespace

DeviceMemory& DeviceMemory::Get() {
  static DeviceMemory& memory = *new DeviceMemory;
  return memory;
}

DeviceMemory::DeviceMemory() {
  void* range = mmap(nullptr, kRange, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    Complain("no room for %zu bytes of addresses", kRange);
    std::abort();
  }
  range_ = next_ = static_cast<char*>(range);
}

// Pages between allocations, with one before and one behind that stay inaccessible. First fit from next_ on, once
// around.
char* DeviceMemory::Reserve(size_t bytes) {
  const size_t needed = bytes + 2 * kPage;
  for (int round = 0; round < 2; ++round) {
    char* begin = round == 0 ? next_ : range_;
    for (auto after = live_.lower_bound(Number(begin));; ++after) {
      const uintptr_t end = after == live_.end() ? Number(range_) + kRange : after->first;
      if (end >= Number(begin) && end - Number(begin) >= needed) {
        next_ = begin + kPage + bytes;
        return begin + kPage;
      }
      if (after == live_.end()) break;
      begin = after->second.pages + after->second.page_bytes;
    }
  }
  return nullptr;
}

cudaError_t DeviceMemory::Allocate(size_t bytes, int device, void** result) {
  *result = nullptr;
  if (bytes == 0) return cudaSuccess;
  if (bytes > capacity() || used_[device] + RoundUp(bytes, kAlignment) > capacity()) return cudaErrorMemoryAllocation;
  Allocation allocation;
  allocation.bytes = bytes;
  allocation.reserved = RoundUp(bytes, kAlignment);
  allocation.page_bytes = RoundUp(bytes, kPage);
  allocation.device = device;
  allocation.pages = Reserve(allocation.page_bytes);
  if (allocation.pages == nullptr) return cudaErrorMemoryAllocation;
  allocation.begin = allocation.pages + allocation.page_bytes - allocation.reserved;
  Protect(allocation, true);
  std::memset(allocation.pages, kPoison, allocation.page_bytes);
  if (open_ == 0) Protect(allocation, false);
  used_[device] += allocation.reserved;
  live_[Number(allocation.pages)] = allocation;
  *result = allocation.begin;
  return cudaSuccess;
}

bool DeviceMemory::TailIsIntact(const Allocation& allocation) {
  DeviceAccess access;
  for (size_t i = allocation.bytes; i < allocation.reserved; ++i) {
    if (static_cast<unsigned char>(allocation.begin[i]) != kPoison) {
      Complain("a kernel or copy wrote byte %zu of an allocation of %zu", i, allocation.bytes);
      return false;
    }
  }
  return true;
}

cudaError_t DeviceMemory::Free(void* begin) {
  const Allocation* found = Find(begin);
  if (found == nullptr || found->begin != begin) return cudaErrorInvalidValue;
  const Allocation allocation = *found;
  if (!TailIsIntact(allocation)) Ruin(cudaErrorIllegalAddress);
  live_.erase(Number(allocation.pages));
  used_[allocation.device] -= allocation.reserved;
  Protect(allocation, false);
  madvise(allocation.pages, allocation.page_bytes, MADV_DONTNEED);
  return cudaSuccess;
}

void DeviceMemory::FreeAll() {
  while (!live_.empty()) Free(live_.begin()->second.begin);
}

bool DeviceMemory::Owns(const void* address) const {
  return Number(address) >= Number(range_) && Number(address) < Number(range_) + kRange;
}

const Allocation* DeviceMemory::Find(const void* address) const {
  auto after = live_.upper_bound(Number(address));
  if (after == live_.begin()) return nullptr;
  const Allocation& allocation = (--after)->second;
  const bool inside =
      Number(address) >= Number(allocation.begin) && Number(address) < Number(allocation.begin) + allocation.bytes;
  return inside ? &allocation : nullptr;
}

bool DeviceMemory::Contains(const void* address, size_t bytes) const {
  const Allocation* allocation = Find(address);
  return allocation != nullptr && bytes <= allocation->bytes - (Number(address) - Number(allocation->begin));
}

size_t DeviceMemory::capacity() const {
  return static_cast<size_t>(Setting("BITGATE_EMULATED_GPU_BYTES", int64_t{2} << 30));
}

void DeviceMemory::Protect(const Allocation& allocation, bool accessible) const {
  if (mprotect(allocation.pages, allocation.page_bytes, accessible ? PROT_READ | PROT_WRITE : PROT_NONE) != 0) {
    Complain("mprotect failed");
    std::abort();
  }
}

void DeviceMemory::Open() {
  if (open_++ > 0) return;
  for (const auto& entry : live_) Protect(entry.second, true);
}

void DeviceMemory::Close() {
  if (--open_ > 0) return;
  for (const auto& entry : live_) Protect(entry.second, false);
}

PinnedMemory& PinnedMemory::Get() {
  static PinnedMemory& memory = *new PinnedMemory;
  return memory;
}

void* PinnedMemory::Allocate(size_t bytes) {
  const size_t size = RoundUp(bytes == 0 ? 1 : bytes, kPage);
  void* block = std::aligned_alloc(kPage, size);
  if (block == nullptr) return nullptr;
  std::memset(block, kPoison, size);
  live_[Number(block)] = size;
  return block;
}

bool PinnedMemory::Free(void* begin) {
  if (live_.erase(Number(begin)) == 0) return false;
  std::free(begin);
  return true;
}

bool PinnedMemory::Contains(const void* address) const {
  auto after = live_.upper_bound(Number(address));
  if (after == live_.begin()) return false;
  --after;
  return Number(address) - after->first < after->second;
}

}  // namespace cuda_emulator
