// What the libraries of CUDA that are opened when needed have in common. For .cu files only.
#ifndef BITGATE_RUNTIME_DEVICE_CUDA_LIBRARY_H_
#define BITGATE_RUNTIME_DEVICE_CUDA_LIBRARY_H_

#include <cuda_runtime_api.h>

#include <memory>
#include <string>

#include "runtime/base/error.h"
#include "runtime/device/cuda_check.h"
#include "runtime/device/device.h"
#include "runtime/device/shared_library.h"

namespace bitgate {
namespace cuda {

// Throws NotCapturable when the stream is being captured: making a handle, and the first run of a plan, may allocate
// memory and load code.
inline void RefuseInCapture(const Stream& stream, const char* what) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  BG_CHECK_CUDA(cudaStreamIsCapturing(static_cast<cudaStream_t>(stream.handle), &status));
  if (status != cudaStreamCaptureStatusNone) throw NotCapturable(what);
}

// Whether the program is ending and the driver with it: a library's handle must then be left alone.
inline bool DriverIsGone() {
  int device = 0;
  return cudaGetDevice(&device) == cudaErrorCudartUnloading;
}

// Frees what a library made with the library's own function; null until it is made.
template <class T, class Status>
class Owned {
 public:
  explicit Owned(Status (*destroy)(T)) : destroy_(destroy) {}
  ~Owned() {
    if (value_ != nullptr) destroy_(value_);
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;

  operator T() const { return value_; }
  // Where the library is to write it.
  T* address() { return &value_; }

 private:
  Status (*destroy_)(T);
  T value_ = nullptr;
};

}  // namespace cuda
}  // namespace bitgate

#endif  // BITGATE_RUNTIME_DEVICE_CUDA_LIBRARY_H_
