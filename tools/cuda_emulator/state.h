// What every entry point shares: the lock, the error that CUDA remembers, the device that the thread has chosen, and
// the settings in the environment (read anew at each use, so that a test can change them).
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_STATE_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_STATE_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <mutex>

namespace cuda_emulator {

constexpr int kMaxDevices = 8;
constexpr int kDriverVersion = CUDART_VERSION;
constexpr int kMultiprocessors = 4;  // few, so that grids sized by it stay small

// One lock for everything; kernels run under it too, which makes `static` do for __shared__.
std::recursive_mutex& Lock();

// The environment variable's number, `otherwise` where it is not set.
int64_t Setting(const char* name, int64_t otherwise);

// A line on stderr, after the emulator's name.
void Complain(const char* format, ...) __attribute__((format(printf, 1, 2)));

// What cudaGetDeviceCount would say.
cudaError_t CountDevices(int* count);

int CurrentDevice();
void SetCurrentDevice(int device);

// An error that ruins the context: every later call returns it, until cudaDeviceReset.
void Ruin(cudaError_t error);
cudaError_t ruin();
void Repair();

// cudaGetLastError and cudaPeekAtLastError.
cudaError_t LastError(bool forget);

// Counts the call; not cudaSuccess when it must fail before it begins.
cudaError_t BeginCall();
// Remembers `error`; what the call returns.
cudaError_t EndCall(cudaError_t error);

// The frame of an entry point that needs a device.
template <class Body>
cudaError_t Call(Body&& body) {
  std::lock_guard<std::recursive_mutex> lock(Lock());
  cudaError_t error = BeginCall();
  if (error == cudaSuccess) error = body();
  return EndCall(error);
}

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_STATE_H_
