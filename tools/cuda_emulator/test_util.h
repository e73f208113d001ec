// Shared by the emulator's tests: checked calls, arrays on the device, launches.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_TEST_UTIL_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_TEST_UTIL_H_

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#define CHECK_CUDA(expression) ASSERT_EQ((expression), cudaSuccess)

namespace cuda_emulator {

inline cudaLaunchConfig_t Config(dim3 grid, dim3 block, cudaStream_t stream) {
  cudaLaunchConfig_t config = {};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = stream;
  return config;
}

template <class... Parameters, class... Arguments>
cudaError_t Launch(cudaStream_t stream, dim3 grid, dim3 block, void (*kernel)(Parameters...),
                   Arguments&&... arguments) {
  const cudaLaunchConfig_t config = Config(grid, block, stream);
  return cudaLaunchKernelEx(&config, kernel, std::forward<Arguments>(arguments)...);
}

// An array in device memory.
template <class T>
class Array {
 public:
  explicit Array(size_t size) : size_(size) { EXPECT_EQ(cudaMalloc(&data_, size * sizeof(T)), cudaSuccess); }
  explicit Array(const std::vector<T>& values) : Array(values.size()) { Set(values); }
  ~Array() { cudaFree(data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  T* data() const { return data_; }
  void Set(const std::vector<T>& values) {
    EXPECT_EQ(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice), cudaSuccess);
  }
  // Waits for everything.
  std::vector<T> Values() const {
    std::vector<T> values(size_);
    EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost), cudaSuccess);
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

inline std::vector<float> Random(size_t size, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(size);
  for (float& value : values) value = uniform(generator);
  return values;
}

// A stream that nothing waits for by itself, in a context without old errors.
class EmulatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cudaDeviceReset();
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
  }
  void TearDown() override { cudaDeviceReset(); }
  cudaStream_t stream_ = nullptr;
};

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_TEST_UTIL_H_
