// What a device can do for the runtime: memory, order of work, copies. One implementation per device type.
#ifndef BITGATE_RUNTIME_DEVICE_BACKEND_H_
#define BITGATE_RUNTIME_DEVICE_BACKEND_H_

#include <cstddef>
#include <memory>

#include "runtime/device/allocator.h"
#include "runtime/device/device.h"

namespace bitgate {

class Backend {
 public:
  virtual ~Backend() = default;

  virtual const std::shared_ptr<Pool>& pool() = 0;
  // Where kernels run, and where uploads run beside them. On the CPU both are null streams.
  virtual Stream compute_stream() = 0;
  virtual Stream upload_stream() = 0;
  // Returns when everything queued so far is done.
  virtual void Synchronize() = 0;

  // In the order of the compute stream. CopyToHost returns when the bytes have arrived; the others may return earlier,
  // but `source` of CopyFromHost may be reused at once.
  virtual void CopyFromHost(void* target, const void* source, size_t bytes) = 0;
  virtual void CopyToHost(void* target, const void* source, size_t bytes) = 0;
  virtual void CopyWithin(void* target, const void* source, size_t bytes) = 0;
  virtual void FillZero(void* target, size_t bytes) = 0;
};

std::unique_ptr<Backend> MakeCpuBackend();

namespace cuda {
// Throws UnsupportedDevice when the index does not exist or the driver does not work; the message says which.
std::unique_ptr<Backend> MakeBackend(int index);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_BACKEND_H_
