#include "tools/cuda_emulator/state.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace cuda_emulator {
namespace {

thread_local cudaError_t last_error = cudaSuccess;
thread_local int current_device = 0;
cudaError_t ruined_by = cudaSuccess;
int64_t calls = 0;

}  // namespace

std::recursive_mutex& Lock() {
  // Never destroyed: other threads and static destructors may still call.
  static std::recursive_mutex& lock = *new std::recursive_mutex;
  return lock;
}

int64_t Setting(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? otherwise : std::strtoll(text, nullptr, 10);
}

void Complain(const char* format, ...) {
  std::fprintf(stderr, "cuda_emulator: ");
  va_list arguments;
  va_start(arguments, format);
  std::vfprintf(stderr, format, arguments);
  va_end(arguments);
  std::fprintf(stderr, "\n");
}

cudaError_t CountDevices(int* count) {
  *count = 0;
  if (Setting("BITGATE_EMULATED_DRIVER", kDriverVersion) / 1000 < CUDART_VERSION / 1000) {
    return cudaErrorInsufficientDriver;
  }
  *count = std::clamp(static_cast<int>(Setting("BITGATE_EMULATED_GPUS", 1)), 0, kMaxDevices);
  return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}

int CurrentDevice() { return current_device; }
void SetCurrentDevice(int device) { current_device = device; }

void Ruin(cudaError_t error) {
  if (ruined_by == cudaSuccess) ruined_by = error;
}
cudaError_t ruin() { return ruined_by; }
void Repair() {
  ruined_by = cudaSuccess;
  last_error = cudaSuccess;
  calls = 0;
}

cudaError_t LastError(bool forget) {
  const cudaError_t error = ruined_by != cudaSuccess ? ruined_by : last_error;
  if (forget) last_error = cudaSuccess;
  return error;
}

cudaError_t BeginCall() {
  int count = 0;
  const cudaError_t error = CountDevices(&count);
  if (error != cudaSuccess) return error;
  const int64_t fail_after = Setting("BITGATE_EMULATED_FAIL_AFTER", -1);
  if (fail_after >= 0 && calls++ >= fail_after) Ruin(cudaErrorLaunchFailure);
  return ruined_by;
}

cudaError_t EndCall(cudaError_t error) {
  if (ruined_by != cudaSuccess) error = ruined_by;  // perhaps by what this call had to wait for
  if (error != cudaSuccess) last_error = error;
  return error;
}

}  // namespace cuda_emulator
