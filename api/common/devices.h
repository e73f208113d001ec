// What front doors ask of a device outside of any session: the elements of tensors from and to host memory, and when
// queued work is done. From any thread, at any time.
#ifndef BITGATE_API_COMMON_DEVICES_H_
#define BITGATE_API_COMMON_DEVICES_H_

#include "runtime/device/device.h"
#include "runtime/tensor/tensor.h"

namespace bitgate::api {

// The elements of a contiguous tensor, all of them: when the call returns, the host's side may be reused. Work that is
// queued on the device before comes before, whoever queued it.
void CopyToHost(void* target, const Tensor& source);
void CopyFromHost(const Tensor& target, const void* source);

// A contiguous tensor with its elements in host memory: itself on the cpu, else a copy.
Tensor OnHost(const Tensor& tensor);

// Returns when all that is queued on the device is done.
void Synchronize(Device device);

// Where the device's kernels run. Throws UnsupportedDevice.
Stream ComputeStream(Device device);

// A GPU's stream ends with the last context that uses it, and tensors may outlive theirs: what holds them calls this,
// so that later work is ordered behind what those contexts have queued. To the end of the process.
void KeepOpen(Device device);

}  // namespace bitgate::api

#endif  // BITGATE_API_COMMON_DEVICES_H_
