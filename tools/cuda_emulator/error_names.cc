// Names and texts of error codes: those that the emulator returns.
#include <cuda_runtime_api.h>

namespace {

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};

#define BITGATE_ERROR(name, text) \
  { name, #name, text }

const ErrorText kErrors[] = {
    BITGATE_ERROR(cudaSuccess, "no error"),
    BITGATE_ERROR(cudaErrorInvalidValue, "invalid argument"),
    BITGATE_ERROR(cudaErrorMemoryAllocation, "out of memory"),
    BITGATE_ERROR(cudaErrorInvalidConfiguration, "invalid configuration argument"),
    BITGATE_ERROR(cudaErrorInsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version"),
    BITGATE_ERROR(cudaErrorInvalidDeviceFunction, "invalid device function"),
    BITGATE_ERROR(cudaErrorNoDevice, "no CUDA-capable device is detected"),
    BITGATE_ERROR(cudaErrorInvalidDevice, "invalid device ordinal"),
    BITGATE_ERROR(cudaErrorNoKernelImageForDevice, "no kernel image is available for execution on the device"),
    BITGATE_ERROR(cudaErrorInvalidResourceHandle, "invalid resource handle"),
    BITGATE_ERROR(cudaErrorIllegalState, "the operation cannot be performed in the present state"),
    BITGATE_ERROR(cudaErrorNotReady, "device not ready"),
    BITGATE_ERROR(cudaErrorIllegalAddress, "an illegal memory access was encountered"),
    BITGATE_ERROR(cudaErrorLaunchFailure, "unspecified launch failure"),
    BITGATE_ERROR(cudaErrorNotSupported, "operation not supported"),
    BITGATE_ERROR(cudaErrorStreamCaptureUnsupported, "operation not permitted when stream is capturing"),
    BITGATE_ERROR(cudaErrorStreamCaptureInvalidated, "operation failed due to a previous error during capture"),
    BITGATE_ERROR(cudaErrorStreamCaptureMerge, "operation would result in a merge of separate capture sequences"),
    BITGATE_ERROR(cudaErrorStreamCaptureUnmatched, "capture was not ended in the same stream as it began"),
    BITGATE_ERROR(cudaErrorStreamCaptureUnjoined, "capturing stream has unjoined work"),
    BITGATE_ERROR(cudaErrorStreamCaptureIsolation, "dependency created on uncaptured work in another stream"),
    BITGATE_ERROR(cudaErrorStreamCaptureImplicit,
                  "operation would make the legacy stream depend on a capturing blocking stream"),
    BITGATE_ERROR(cudaErrorCapturedEvent, "operation not permitted on an event last recorded in a capturing stream"),
    BITGATE_ERROR(cudaErrorStreamCaptureWrongThread,
                  "attempt to terminate a thread-local capture sequence from another thread"),
};

#undef BITGATE_ERROR

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  for (const ErrorText& entry : kErrors) {
    if (entry.error == error) return entry.name;
  }
  return "unrecognized error code";
}

const char* cudaGetErrorString(cudaError_t error) {
  for (const ErrorText& entry : kErrors) {
    if (entry.error == error) return entry.text;
  }
  return "unrecognized error code";
}
