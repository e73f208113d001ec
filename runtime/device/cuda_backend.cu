#include <cuda_runtime_api.h>

#include "runtime/base/error.h"
#include "runtime/device/backend.h"
#include "runtime/device/cuda_check.h"

namespace bitgate {
namespace cuda {
namespace {

class DeviceMemory : public MemorySource {
 public:
  explicit DeviceMemory(int index) : index_(index) {}
  Device device() const override { return {DeviceType::kCuda, index_}; }
  void* Acquire(size_t bytes) override {
    BG_CHECK_CUDA(cudaSetDevice(index_));
    void* block = nullptr;
    const cudaError_t status = cudaMalloc(&block, bytes);
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // running out is reported by the pool; the error must not stick to the next call
      return nullptr;
    }
    BG_CHECK_CUDA(status);
    return block;
  }
  void Release(void* block) noexcept override { cudaFree(block); }

 private:
  int index_;
};

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(int index) : device_{DeviceType::kCuda, index}, pool_(MakePool(index)) {
    BG_CHECK_CUDA(cudaSetDevice(index));
    BG_CHECK_CUDA(cudaStreamCreateWithFlags(&compute_, cudaStreamNonBlocking));
    BG_CHECK_CUDA(cudaStreamCreateWithFlags(&upload_, cudaStreamNonBlocking));
  }
  ~CudaBackend() override {
    if (compute_ != nullptr) cudaStreamDestroy(compute_);
    if (upload_ != nullptr) cudaStreamDestroy(upload_);
  }

  const std::shared_ptr<Pool>& pool() override { return pool_; }
  Stream compute_stream() override { return {device_, compute_}; }
  Stream upload_stream() override { return {device_, upload_}; }
  void Synchronize() override { BG_CHECK_CUDA(cudaStreamSynchronize(compute_)); }

  void CopyFromHost(void* target, const void* source, size_t bytes) override {
    // Pageable memory is staged by the driver before the call returns, so `source` may be reused at once.
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, compute_));
  }
  void CopyToHost(void* target, const void* source, size_t bytes) override {
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, compute_));
    Synchronize();
  }
  void CopyWithin(void* target, const void* source, size_t bytes) override {
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, compute_));
  }
  void FillZero(void* target, size_t bytes) override { BG_CHECK_CUDA(cudaMemsetAsync(target, 0, bytes, compute_)); }

 private:
  static std::shared_ptr<Pool> MakePool(int index) {
    return std::make_shared<Pool>(std::unique_ptr<MemorySource>(new DeviceMemory(index)));
  }

  Device device_;
  std::shared_ptr<Pool> pool_;
  cudaStream_t compute_ = nullptr;
  cudaStream_t upload_ = nullptr;
};

}  // namespace

std::unique_ptr<Backend> MakeBackend(int index) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    cudaGetLastError();
    throw UnsupportedDevice("device: cuda:", index, " needs a GPU and its driver: ", cudaGetErrorString(status));
  }
  if (index < 0 || index >= count) {
    throw UnsupportedDevice("device: expected a GPU index below ", count, ", got cuda:", index);
  }
  return std::unique_ptr<Backend>(new CudaBackend(index));
}

}  // namespace cuda
}  // namespace bitgate
