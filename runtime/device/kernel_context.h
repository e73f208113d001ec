// What a kernel gets besides its operands: the stream to run on, library handles, remembered plans, scratch memory.
#ifndef BITGATE_RUNTIME_DEVICE_KERNEL_CONTEXT_H_
#define BITGATE_RUNTIME_DEVICE_KERNEL_CONTEXT_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "runtime/device/allocator.h"
#include "runtime/device/compute.h"
#include "runtime/device/device.h"
#include "runtime/device/plan_cache.h"

namespace bitgate {

struct OneDnn;  // runtime/device/onednn.h; incomplete here so that only its users include the library's header

// Handles of kernel libraries, made at first use.
class Libraries {
 public:
  Libraries();
  ~Libraries();
  OneDnn& onednn();
  // The one T of this context, made by `make()` (returning std::shared_ptr<T>) when it is asked for first. `name` is a
  // string literal; one name, one type. For libraries of a device that only its own kernels know.
  template <class T, class Make>
  T& Get(const char* name, Make make) {
    std::shared_ptr<void>& found = others_[name];
    if (found == nullptr) found = make();
    return *static_cast<T*>(found.get());
  }

 private:
  std::unique_ptr<OneDnn> onednn_;
  std::map<std::string, std::shared_ptr<void>> others_;
};

// Scratch memory from the pool that only grows: one kernel uses it at a time, in stream order.
class Workspace {
 public:
  explicit Workspace(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  ~Workspace();
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  void Swap(Workspace& other) noexcept;

  // At least `bytes`, 64-byte aligned, contents undefined. Valid until the next call.
  void* Get(size_t bytes);

 private:
  std::shared_ptr<Pool> pool_;
  void* block_ = nullptr;
  size_t bytes_ = 0;
};

struct KernelContext {
  Stream stream;
  Compute compute;  // of convolutions and products
  Libraries& libraries;
  PlanCache& plans;
  Workspace& workspace;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_KERNEL_CONTEXT_H_
