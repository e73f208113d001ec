// The resources of one device, passed down to everything that allocates or computes. One thread at a time.
#ifndef BITGATE_RUNTIME_DEVICE_CONTEXT_H_
#define BITGATE_RUNTIME_DEVICE_CONTEXT_H_

#include <memory>

#include "runtime/device/backend.h"
#include "runtime/device/kernel_context.h"

namespace bitgate {

class Tape;

class Context {
 public:
  // Throws UnsupportedDevice when this build or machine has no such device.
  explicit Context(Device device = {});
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  Device device() const { return device_; }
  Backend& backend() { return *backend_; }
  const std::shared_ptr<Pool>& pool() { return backend_->pool(); }
  KernelContext& kernel() { return kernel_; }

  // The tape that differentiable ops record on; null outside a Recording (runtime/autograd/tape.h).
  Tape* tape() const { return tape_; }
  void set_tape(Tape* tape) { tape_ = tape; }

 private:
  Device device_;
  std::unique_ptr<Backend> backend_;
  Libraries libraries_;
  PlanCache plans_;
  Workspace workspace_;
  KernelContext kernel_;
  Tape* tape_ = nullptr;
};

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_CONTEXT_H_
