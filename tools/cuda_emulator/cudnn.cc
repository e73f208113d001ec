// cuDNN's handle, versions and errors, and how its work is queued.
#include <cstdio>
#include <utility>

#include "tools/cuda_emulator/cudnn_descriptors.h"
#include "tools/cuda_emulator/memory.h"
#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

namespace cuda_emulator {
namespace {

thread_local const char* last_text = "";

}  // namespace

cudnnStatus_t Refuse(cudnnStatus_t status, const char* text) {
  last_text = text;
  return status;
}

cudnnStatus_t RequireDeviceMemory(const Operand& operand) {
  std::lock_guard<std::recursive_mutex> lock(Lock());
  const bool inside = operand.bytes == 0 || DeviceMemory::Get().Contains(operand.data, operand.bytes);
  return inside ? CUDNN_STATUS_SUCCESS
                : Refuse(CUDNN_STATUS_BAD_PARAM, "an array is not, or not as a whole, in device memory");
}

cudnnStatus_t Submit(cudnnHandle_t handle, std::initializer_list<Operand> operands, std::function<void()> work) {
  if (handle == nullptr) return Refuse(CUDNN_STATUS_NOT_INITIALIZED, "the handle is null");
  for (const Operand& operand : operands) {
    const cudnnStatus_t status = RequireDeviceMemory(operand);
    if (status != CUDNN_STATUS_SUCCESS) return status;
  }
  const cudaError_t error = Call([&] {
    if (handle->device != CurrentDevice()) return cudaErrorInvalidResourceHandle;
    return Enqueue(handle->stream, std::move(work));
  });
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS
                              : Refuse(CUDNN_STATUS_EXECUTION_FAILED_CUDART, cudaGetErrorString(error));
}

}  // namespace cuda_emulator

using cuda_emulator::Call;

size_t cudnnGetVersion() { return CUDNN_VERSION; }
size_t cudnnGetCudartVersion() { return CUDART_VERSION; }

cudnnStatus_t cudnnGetProperty(libraryPropertyType type, int* value) {
  *value = type == MAJOR_VERSION ? CUDNN_MAJOR : type == MINOR_VERSION ? CUDNN_MINOR : CUDNN_PATCHLEVEL;
  return CUDNN_STATUS_SUCCESS;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
  switch (CUDNN_STATUS_CATEGORY(status)) {
    case 0:
      return "CUDNN_STATUS_SUCCESS";
    case CUDNN_STATUS_BAD_PARAM:
      return "CUDNN_STATUS_BAD_PARAM";
    case CUDNN_STATUS_NOT_SUPPORTED:
      return "CUDNN_STATUS_NOT_SUPPORTED";
    case CUDNN_STATUS_INTERNAL_ERROR:
      return "CUDNN_STATUS_INTERNAL_ERROR";
    case CUDNN_STATUS_EXECUTION_FAILED:
      return "CUDNN_STATUS_EXECUTION_FAILED";
    default:
      return status == CUDNN_STATUS_NOT_INITIALIZED ? "CUDNN_STATUS_NOT_INITIALIZED" : "CUDNN_UNKNOWN_STATUS";
  }
}

void cudnnGetLastErrorString(char* message, size_t size) {
  std::snprintf(message, size, "%s", cuda_emulator::last_text);
  cuda_emulator::last_text = "";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  const cudaError_t error = Call([&] {
    // The library allocates device memory for itself, which a capture does not allow.
    const cudaError_t refused = cuda_emulator::RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    *handle = new cudnnContext;
    (*handle)->device = cuda_emulator::CurrentDevice();
    return cudaSuccess;
  });
  return error == cudaSuccess ? CUDNN_STATUS_SUCCESS
                              : cuda_emulator::Refuse(CUDNN_STATUS_NOT_INITIALIZED, cudaGetErrorString(error));
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  delete handle;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t stream) {
  if (handle == nullptr) return cuda_emulator::Refuse(CUDNN_STATUS_NOT_INITIALIZED, "the handle is null");
  handle->stream = stream;
  return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* stream) {
  if (handle == nullptr) return cuda_emulator::Refuse(CUDNN_STATUS_NOT_INITIALIZED, "the handle is null");
  *stream = handle->stream;
  return CUDNN_STATUS_SUCCESS;
}
