// The resources of one device, passed down to everything that allocates or computes. One thread at a time.
#ifndef BITGATE_RUNTIME_DEVICE_CONTEXT_H_
#define BITGATE_RUNTIME_DEVICE_CONTEXT_H_

#include <memory>
#include <utility>

#include "runtime/device/backend.h"
#include "runtime/device/kernel_context.h"

namespace bitgate {

class Tape;

// Memory that work takes its tensors and scratch from: that of a context, or of captured work, whose addresses must
// stay its own for as long as it may be replayed.
struct Memory {
  explicit Memory(std::shared_ptr<Pool> pool) : pool(pool), workspace(std::move(pool)) {}
  std::shared_ptr<Pool> pool;
  Workspace workspace;
};

class Context {
 public:
  // Throws UnsupportedDevice when this build or machine has no such device, or the device cannot compute so.
  explicit Context(Device device = {}, Compute compute = Compute::kFloat32);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Device device() const { return device_; }
  Backend& backend() { return *backend_; }
  Compute compute() const { return kernel_.compute; }
  // From the next op on. Throws UnsupportedDevice when the device cannot compute so.
  void set_compute(Compute compute);
  const std::shared_ptr<Pool>& pool() { return memory_.pool; }
  // For a call of a kernel: the device is the calling thread's then.
  KernelContext& kernel() {
    backend_->Activate();
    kernel_.stream = backend_->compute_stream();
    return kernel_;
  }

  // The tape that differentiable ops record on; null outside a Recording (runtime/autograd/tape.h).
  Tape* tape() const { return tape_; }
  void set_tape(Tape* tape) { tape_ = tape; }

 private:
  friend class UseMemory;

  Device device_;
  std::unique_ptr<Backend> backend_;
  Libraries libraries_;
  PlanCache plans_;
  Memory memory_;
  KernelContext kernel_;
  Tape* tape_ = nullptr;
};

// Makes `context` take memory from `memory` while it lives. Nests.
class UseMemory {
 public:
  UseMemory(Context& context, Memory& memory) : context_(context), memory_(memory) { Swap(); }
  ~UseMemory() { Swap(); }
  UseMemory(const UseMemory&) = delete;
  UseMemory& operator=(const UseMemory&) = delete;

 private:
  void Swap() noexcept {
    context_.memory_.pool.swap(memory_.pool);
    context_.memory_.workspace.Swap(memory_.workspace);
  }

  Context& context_;
  Memory& memory_;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_CONTEXT_H_
