#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "runtime/base/error.h"
#include "runtime/device/backend.h"
#include "runtime/device/cuda_check.h"
#include "runtime/device/cuda_memory.h"
#include "runtime/kernel/cuda_launch.h"

namespace bitgate {
namespace cuda {
namespace {

// ---- kernels ----

// What a launch can take along by value.
constexpr size_t kSmallBytes = 1024;
struct SmallBytes {
  unsigned char values[kSmallBytes];
};

__global__ void SetBytesKernel(unsigned char* target, SmallBytes bytes, int count) {
  if (static_cast<int>(threadIdx.x) < count) target[threadIdx.x] = bytes.values[threadIdx.x];
}

// ---- a GPU ----

// What all contexts of one GPU share. One compute stream for all of them: what one context has queued on a tensor is
// done before what another queues on it later, and memory given back can be handed out again at once.
struct Gpu {
  explicit Gpu(int index) : index(index), pool(std::make_shared<Pool>(DeviceMemory(index), family)) {
    BG_CHECK_CUDA(cudaSetDevice(index));
    cudaDeviceProp properties;
    BG_CHECK_CUDA(cudaGetDeviceProperties(&properties, index));
    name = properties.name;
    BG_CHECK_CUDA(cudaStreamCreateWithFlags(&compute, cudaStreamNonBlocking));
    BG_CHECK_CUDA(cudaStreamCreateWithFlags(&upload, cudaStreamNonBlocking));
  }
  // A tensor may outlive it: what has been queued on it is to be done before anybody has another stream.
  ~Gpu() {
    if (compute != nullptr) cudaStreamSynchronize(compute);
    if (compute != nullptr) cudaStreamDestroy(compute);
    if (upload != nullptr) cudaStreamDestroy(upload);
  }

  int index;
  std::string name;
  std::shared_ptr<PoolFamily> family = std::make_shared<PoolFamily>();
  std::shared_ptr<Pool> pool;
  std::shared_ptr<Pool> host_pool = std::make_shared<Pool>(PinnedMemory());
  cudaStream_t compute = nullptr, upload = nullptr;
};

std::shared_ptr<Gpu> SharedGpu(int index) {
  static std::mutex& mutex = *new std::mutex;
  static auto& gpus = *new std::map<int, std::weak_ptr<Gpu>>;
  const std::lock_guard<std::mutex> lock(mutex);
  std::shared_ptr<Gpu> gpu = gpus[index].lock();
  if (gpu == nullptr) gpus[index] = gpu = std::make_shared<Gpu>(index);
  return gpu;
}

class CudaMarker : public Marker {
 public:
  explicit CudaMarker(std::shared_ptr<Gpu> gpu) : gpu_(std::move(gpu)) {
    BG_CHECK_CUDA(cudaSetDevice(gpu_->index));
    BG_CHECK_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
  }
  ~CudaMarker() override {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  void Record(Lane lane) override { BG_CHECK_CUDA(cudaEventRecord(event_, StreamOf(lane))); }
  void HoldBack(Lane lane) override { BG_CHECK_CUDA(cudaStreamWaitEvent(StreamOf(lane), event_, 0)); }
  bool Passed() override {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) {
      cudaGetLastError();
      return false;
    }
    BG_CHECK_CUDA(status);
    return true;
  }
  void Wait() override { BG_CHECK_CUDA(cudaEventSynchronize(event_)); }

 private:
  cudaStream_t StreamOf(Lane lane) const {
    cudaSetDevice(gpu_->index);
    return lane == Lane::kCompute ? gpu_->compute : gpu_->upload;
  }

  std::shared_ptr<Gpu> gpu_;
  cudaEvent_t event_ = nullptr;
};

class CudaGraph : public CapturedWork {
 public:
  CudaGraph(std::shared_ptr<Gpu> gpu, cudaGraph_t graph) : gpu_(std::move(gpu)) {
    const cudaError_t status = cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    BG_CHECK_CUDA(status);
  }
  ~CudaGraph() override {
    if (executable_ != nullptr) cudaGraphExecDestroy(executable_);
  }
  void Replay() override {
    BG_CHECK_CUDA(cudaSetDevice(gpu_->index));
    BG_CHECK_CUDA(cudaGraphLaunch(executable_, gpu_->compute));
  }

 private:
  std::shared_ptr<Gpu> gpu_;
  cudaGraphExec_t executable_ = nullptr;
};

class CudaBackend : public Backend {
 public:
  explicit CudaBackend(int index) : device_{DeviceType::kCuda, index}, gpu_(SharedGpu(index)) {}
  ~CudaBackend() override {
    if (capture_ != nullptr) cudaStreamDestroy(capture_);
  }

  std::string device_name() const override { return gpu_->name; }
  const std::shared_ptr<Pool>& pool() override { return gpu_->pool; }
  std::shared_ptr<Pool> MakeCapturePool() override {
    return std::make_shared<Pool>(DeviceMemory(gpu_->index), gpu_->family, Idle::kStays);
  }
  const std::shared_ptr<Pool>& host_pool() override { return gpu_->host_pool; }
  int64_t FreeBytes() override {
    Activate();
    size_t free = 0, total = 0;
    BG_CHECK_CUDA(cudaMemGetInfo(&free, &total));
    const PoolStatistics pooled = gpu_->pool->statistics();
    return static_cast<int64_t>(free) + pooled.system_bytes - pooled.in_use_bytes;
  }
  Stream compute_stream() override { return {device_, stream()}; }
  // Not remembered: the program, or another library in it, may change the thread's device meanwhile.
  void Activate() override { BG_CHECK_CUDA(cudaSetDevice(gpu_->index)); }
  void Synchronize() override {
    RefuseInCapture("waiting for the device");
    Activate();
    BG_CHECK_CUDA(cudaStreamSynchronize(gpu_->compute));
  }

  void CopyFromHost(void* target, const void* source, size_t bytes) override;
  void CopyToHost(void* target, const void* source, size_t bytes) override {
    if (bytes == 0) return;
    RefuseInCapture("a copy to the host");
    Activate();
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, gpu_->compute));
    BG_CHECK_CUDA(cudaStreamSynchronize(gpu_->compute));
  }
  void CopyWithin(void* target, const void* source, size_t bytes) override {
    if (bytes == 0) return;
    Activate();
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToDevice, stream()));
  }
  void FillZero(void* target, size_t bytes) override {
    if (bytes == 0) return;
    Activate();
    BG_CHECK_CUDA(cudaMemsetAsync(target, 0, bytes, stream()));
  }
  void Upload(void* target, const void* source, size_t bytes) override {
    if (bytes == 0) return;
    RefuseInCapture("an upload");
    Activate();
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, gpu_->upload));
  }
  void Download(void* target, const void* source, size_t bytes) override {
    if (bytes == 0) return;
    RefuseInCapture("a download");
    Activate();
    BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDeviceToHost, gpu_->compute));
  }

  std::unique_ptr<Marker> MakeMarker() override { return std::unique_ptr<Marker>(new CudaMarker(gpu_)); }
  bool can_capture() const override { return true; }
  std::unique_ptr<CapturedWork> Capture(const std::function<void()>& work) override;

 private:
  // Captures go by a stream of their own: what other contexts queue meanwhile is not part of them.
  cudaStream_t stream() const { return capturing_ ? capture_ : gpu_->compute; }
  void RefuseInCapture(const char* what) const {
    if (capturing_) throw NotCapturable(what);
  }
  // Ends the capture and gives what was captured; null if it failed.
  cudaGraph_t EndCapture();

  Device device_;
  std::shared_ptr<Gpu> gpu_;
  cudaStream_t capture_ = nullptr;
  bool capturing_ = false;
};

void CudaBackend::CopyFromHost(void* target, const void* source, size_t bytes) {
  if (bytes == 0) return;
  Activate();
  if (bytes <= kSmallBytes) {
    SmallBytes small;
    std::memcpy(small.values, source, bytes);
    Launch({device_, stream()}, dim3(1), static_cast<int>((bytes + 31) / 32 * 32), SetBytesKernel,
           static_cast<unsigned char*>(target), small, static_cast<int>(bytes));
    return;
  }
  RefuseInCapture("a copy from the host");
  // Memory that the GPU reaches by itself is read when the copy's turn comes: pinned and managed memory, and where the
  // system lets a GPU read pageable memory (HMM, ATS), any.
  BG_CHECK_CUDA(cudaMemcpyAsync(target, source, bytes, cudaMemcpyHostToDevice, gpu_->compute));
  BG_CHECK_CUDA(cudaStreamSynchronize(gpu_->compute));
}

cudaGraph_t CudaBackend::EndCapture() {
  capturing_ = false;
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(capture_, &graph) == cudaSuccess) return graph;
  cudaGetLastError();
  return nullptr;
}

// Of the exception being handled.
std::string CurrentMessage() {
  try {
    throw;
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of another kind";
  }
}

std::unique_ptr<CapturedWork> CudaBackend::Capture(const std::function<void()>& work) {
  RefuseInCapture("another capture");
  Activate();
  if (capture_ == nullptr) BG_CHECK_CUDA(cudaStreamCreateWithFlags(&capture_, cudaStreamNonBlocking));
  const RefuseMemory refuse_memory;
  BG_CHECK_CUDA(cudaStreamBeginCapture(capture_, cudaStreamCaptureModeThreadLocal));
  capturing_ = true;
  try {
    work();
  } catch (...) {
    const cudaGraph_t graph = EndCapture();
    if (graph == nullptr) throw NotCapturable("work that broke the capture: " + CurrentMessage());
    cudaGraphDestroy(graph);
    throw;
  }
  const cudaGraph_t graph = EndCapture();
  if (graph == nullptr) throw NotCapturable("work that a stream cannot capture");
  return std::unique_ptr<CapturedWork>(new CudaGraph(gpu_, graph));
}

// ---- opening one ----

// As //third_party/cuda:architectures takes them: "80,90".
std::string Architectures() {
  std::string text;
#if defined(__CUDA_ARCH_LIST__)
  for (const int architecture : {__CUDA_ARCH_LIST__}) {  // 800, 900
    text += (text.empty() ? "" : ",") + std::to_string(architecture / 10);
  }
#endif
  return text;
}

std::string VersionText(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

int CountGpus(int index) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess) return count;
  cudaGetLastError();
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0, needed = 0;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&needed);
    if (driver > 0) {
      throw UnsupportedDevice("device: cuda:", index, " expected a driver for CUDA ", VersionText(needed),
                              " or newer, got one for ", VersionText(driver));
    }
    throw UnsupportedDevice("device: cuda:", index, " expected a GPU and its driver, got no driver (libcuda.so.1)");
  }
  throw UnsupportedDevice("device: cuda:", index, " expected a GPU and its driver, got: ", cudaGetErrorString(status));
}

void CheckArchitecture(int index) {
  BG_CHECK_CUDA(cudaSetDevice(index));
  cudaFuncAttributes attributes;
  const cudaError_t status = cudaFuncGetAttributes(&attributes, SetBytesKernel);
  if (status != cudaErrorNoKernelImageForDevice && status != cudaErrorInvalidDeviceFunction) {
    BG_CHECK_CUDA(status);
    return;
  }
  cudaGetLastError();
  cudaDeviceProp properties = {};
  cudaGetDeviceProperties(&properties, index);
  throw UnsupportedDevice("device: cuda:", index,
                          " expected a GPU of an architecture that this build has kernels for (", Architectures(),
                          "), got ", properties.name, " of ", properties.major, properties.minor,
                          "; build with --//third_party/cuda:architectures=", properties.major, properties.minor);
}

}  // namespace

std::unique_ptr<Backend> MakeBackend(int index) {
  const int count = CountGpus(index);
  if (index < 0 || index >= count) {
    throw UnsupportedDevice("device: expected a GPU index below ", count, ", got cuda:", index);
  }
  CheckArchitecture(index);
  return std::unique_ptr<Backend>(new CudaBackend(index));
}

}  // namespace cuda
}  // namespace bitgate
