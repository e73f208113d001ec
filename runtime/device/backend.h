// What a device can do for the runtime: memory, order of work, copies. One implementation per device type.
//
// Work is queued in two lanes. Kernels and most copies are in the compute lane, in order; uploads of batches run beside
// it in the upload lane, and markers say what waits for what. On the CPU work is done when the call returns, and lanes
// and markers cost nothing.
#ifndef BITGATE_RUNTIME_DEVICE_BACKEND_H_
#define BITGATE_RUNTIME_DEVICE_BACKEND_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "runtime/device/allocator.h"
#include "runtime/device/device.h"

namespace bitgate {

enum class Lane { kCompute, kUpload };

// A point in a lane: passed when all that was queued before it is done. Belongs to the backend that made it.
class Marker {
 public:
  virtual ~Marker() = default;
  // Moves it to the lane's end as of now.
  virtual void Record(Lane lane) = 0;
  // What is queued on `lane` from now on begins when the marker is passed. A marker never recorded is passed.
  virtual void HoldBack(Lane lane) = 0;
  virtual bool Passed() = 0;
  // Returns when it is passed.
  virtual void Wait() = 0;
};

// Work that was captured, to be queued again and again: kernels and copies with the very addresses and numbers that
// they had then.
class CapturedWork {
 public:
  virtual ~CapturedWork() = default;
  virtual void Replay() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // The device by its maker's name.
  virtual std::string device_name() const = 0;

  // Of all contexts of the device.
  virtual const std::shared_ptr<Pool>& pool() = 0;
  // Another of the same family, for captured work: nobody else is given its memory, and it stays until the pool goes.
  virtual std::shared_ptr<Pool> MakeCapturePool() = 0;
  // Host memory that Upload and Download can reach: pinned on CUDA.
  virtual const std::shared_ptr<Pool>& host_pool() = 0;
  // What can still be had of pool(): idle there, or free on the device. -1 where nobody can tell.
  virtual int64_t FreeBytes() { return -1; }
  // Where kernels run. On the CPU a null stream.
  virtual Stream compute_stream() = 0;
  // Makes it the calling thread's device, where that means something. Every other function does so itself.
  virtual void Activate() {}
  // Returns when everything queued so far is done.
  virtual void Synchronize() = 0;

  // In the order of the compute lane. CopyToHost returns when the bytes have arrived; the others may return earlier,
  // but `source` of CopyFromHost may be reused at once.
  virtual void CopyFromHost(void* target, const void* source, size_t bytes) = 0;
  virtual void CopyToHost(void* target, const void* source, size_t bytes) = 0;
  virtual void CopyWithin(void* target, const void* source, size_t bytes) = 0;
  virtual void FillZero(void* target, size_t bytes) = 0;

  // Like CopyFromHost and CopyToHost, but they never wait: the host's side is memory of host_pool() and must stay as it
  // is until a marker recorded behind the copy, in the same lane, is passed. Upload is in the upload lane.
  virtual void Upload(void* target, const void* source, size_t bytes) = 0;
  virtual void Download(void* target, const void* source, size_t bytes) = 0;

  virtual std::unique_ptr<Marker> MakeMarker() = 0;

  // Whether Capture can do anything.
  virtual bool can_capture() const { return false; }
  // Runs `work` with everything that it queues in the compute lane captured and not done. What cannot be captured
  // (reading to the host, waiting, asking the system for memory) throws NotCapturable out of `work` and of this call,
  // and nothing has been queued.
  virtual std::unique_ptr<CapturedWork> Capture(const std::function<void()>& work);
};

std::unique_ptr<Backend> MakeCpuBackend();

namespace cuda {
// Throws UnsupportedDevice when the index does not exist, the driver is missing or too old, or no kernel was compiled
// for the GPU's architecture; the message says which.
std::unique_ptr<Backend> MakeBackend(int index);
}  // namespace cuda

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_BACKEND_H_
