// The launch of a kernel, and the toolkit's other templates over the C functions.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_LAUNCH_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_LAUNCH_H_

#include <cuda_runtime_api.h>

#include <functional>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

namespace cuda_emulator {

// Queues `thread`, to be called once for each thread of the grid. `pointers` are the kernel's pointer arguments: they
// must point to device or pinned memory, for an emulated kernel could read any other as well and hide the mistake.
cudaError_t LaunchKernel(const cudaLaunchConfig_t& config, std::function<void()> thread,
                         std::initializer_list<const void*> pointers);

template <class T>
inline const void* PointerOf(const T& argument) {
  if constexpr (std::is_pointer_v<T> && !std::is_function_v<std::remove_pointer_t<T>>) {
    return argument;
  } else {
    return nullptr;
  }
}

constexpr size_t kMaxParameterBytes = 4096;  // what every architecture takes

}  // namespace cuda_emulator

template <class... Parameters, class... Arguments>
inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                                      Arguments&&... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...), "a kernel's parameters are copied as bytes");
  static_assert((!std::is_reference_v<Parameters> && ...), "a kernel takes its parameters by value");
  static_assert((sizeof(Parameters) + ... + 0) <= cuda_emulator::kMaxParameterBytes, "a kernel's parameters: too many");
  // The values of now, as on the device: what happens to the caller's variables later does not matter.
  std::tuple<Parameters...> values(static_cast<Parameters>(std::forward<Arguments>(arguments))...);
  return std::apply(
      [&](const auto&... value) {
        return cuda_emulator::LaunchKernel(*config, [kernel, values] { std::apply(kernel, values); },
                                           {cuda_emulator::PointerOf(value)...});
      },
      values);
}

template <class Kernel>
inline cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, Kernel* kernel) {
  return ::cudaFuncGetAttributes(attributes, reinterpret_cast<const void*>(kernel));
}

template <class Kernel>
inline cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, Kernel* kernel, int threads,
                                                                 size_t dynamic_shared_bytes) {
  return ::cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reinterpret_cast<const void*>(kernel), threads,
                                                         dynamic_shared_bytes);
}

template <class T>
inline cudaError_t cudaMalloc(T** pointer, size_t bytes) {
  return ::cudaMalloc(reinterpret_cast<void**>(pointer), bytes);
}

template <class T>
inline cudaError_t cudaMallocHost(T** pointer, size_t bytes, unsigned flags = 0) {
  return ::cudaHostAlloc(reinterpret_cast<void**>(pointer), bytes, flags);
}

template <class T>
inline cudaError_t cudaHostAlloc(T** pointer, size_t bytes, unsigned flags) {
  return ::cudaHostAlloc(reinterpret_cast<void**>(pointer), bytes, flags);
}

inline cudaError_t cudaEventCreate(cudaEvent_t* event, unsigned flags) {
  return ::cudaEventCreateWithFlags(event, flags);
}

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_INCLUDE_CUDA_EMULATOR_LAUNCH_H_
