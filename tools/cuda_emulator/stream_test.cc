// Streams, events, copies and memory: nothing runs early, nothing waits by accident.
#include <cstring>

#include "tools/cuda_emulator/test_util.h"

namespace cuda_emulator {
namespace {

class StreamTest : public EmulatorTest {
 protected:
  void SetUp() override {
    EmulatorTest::SetUp();
    CHECK_CUDA(cudaStreamCreateWithFlags(&other_, cudaStreamNonBlocking));
    CHECK_CUDA(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming));
    CHECK_CUDA(cudaMallocHost(&pinned_, kSize * sizeof(float)));
  }
  void TearDown() override {
    cudaFreeHost(pinned_);
    cudaEventDestroy(event_);
    EmulatorTest::TearDown();
  }
  void FillPinned(float value) {
    for (int i = 0; i < kSize; ++i) pinned_[i] = value;
  }

  static constexpr int kSize = 100;
  static constexpr size_t kBytes = kSize * sizeof(float);
  cudaStream_t other_ = nullptr;
  cudaEvent_t event_ = nullptr;
  float* pinned_ = nullptr;
};

__global__ void AddOne(float* x, int size) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < size) x[i] += 1;
}

TEST_F(StreamTest, PinnedMemoryReusedTooEarlyShows) {
  Array<float> x(kSize);
  FillPinned(1);
  CHECK_CUDA(cudaMemcpyAsync(x.data(), pinned_, kBytes, cudaMemcpyHostToDevice, stream_));
  FillPinned(2);
  EXPECT_EQ(x.Values()[0], 2.0f);
  // Waiting for the copy is what makes it right.
  FillPinned(1);
  CHECK_CUDA(cudaMemcpyAsync(x.data(), pinned_, kBytes, cudaMemcpyHostToDevice, stream_));
  CHECK_CUDA(cudaEventRecord(event_, stream_));
  CHECK_CUDA(cudaEventSynchronize(event_));
  FillPinned(2);
  EXPECT_EQ(x.Values()[0], 1.0f);
}

TEST_F(StreamTest, PageableMemoryMayBeReusedAtOnce) {
  Array<float> x(kSize);
  std::vector<float> values(kSize, 1.0f);
  CHECK_CUDA(cudaMemcpyAsync(x.data(), values.data(), kBytes, cudaMemcpyHostToDevice, stream_));
  values.assign(kSize, 2.0f);
  // Back into pageable memory: the call waits.
  std::vector<float> back(kSize);
  CHECK_CUDA(cudaMemcpyAsync(back.data(), x.data(), kBytes, cudaMemcpyDeviceToHost, stream_));
  EXPECT_EQ(back, std::vector<float>(kSize, 1.0f));
}

TEST_F(StreamTest, DownloadToPinnedMemoryArrivesLate) {
  Array<float> x(std::vector<float>(kSize, 5.0f));
  FillPinned(0);
  CHECK_CUDA(cudaMemcpyAsync(pinned_, x.data(), kBytes, cudaMemcpyDeviceToHost, stream_));
  EXPECT_EQ(pinned_[0], 0.0f);
  CHECK_CUDA(cudaStreamSynchronize(stream_));
  EXPECT_EQ(pinned_[0], 5.0f);
}

TEST_F(StreamTest, AMissingEventShows) {
  for (const bool wait : {false, true}) {
    Array<float> x(std::vector<float>(kSize, 0.0f));
    FillPinned(10);
    CHECK_CUDA(cudaMemcpyAsync(x.data(), pinned_, kBytes, cudaMemcpyHostToDevice, other_));
    CHECK_CUDA(cudaEventRecord(event_, other_));
    if (wait) {
      CHECK_CUDA(cudaStreamWaitEvent(stream_, event_, 0));
    }
    CHECK_CUDA(Launch(stream_, 1, 128, AddOne, x.data(), kSize));
    CHECK_CUDA(cudaStreamSynchronize(stream_));
    EXPECT_EQ(x.Values()[0], wait ? 11.0f : 10.0f);
  }
}

TEST_F(StreamTest, QueryingMakesProgress) {
  Array<float> x(std::vector<float>(kSize, 0.0f));
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess) << "never recorded";
  CHECK_CUDA(Launch(stream_, 1, 128, AddOne, x.data(), kSize));
  CHECK_CUDA(cudaEventRecord(event_, stream_));
  EXPECT_EQ(cudaEventQuery(event_), cudaErrorNotReady);
  int questions = 0;
  while (cudaEventQuery(event_) == cudaErrorNotReady) ASSERT_LT(++questions, 100);
  EXPECT_EQ(cudaStreamQuery(stream_), cudaSuccess);
  EXPECT_EQ(x.Values()[0], 1.0f);
}

TEST_F(StreamTest, NullStreamIsOrderedWithBlockingStreams) {
  cudaStream_t blocking = nullptr;
  CHECK_CUDA(cudaStreamCreate(&blocking));
  Array<float> x(std::vector<float>(kSize, 0.0f));
  CHECK_CUDA(cudaMemsetAsync(x.data(), 0, kBytes, blocking));
  CHECK_CUDA(Launch(blocking, 1, 128, AddOne, x.data(), kSize));
  CHECK_CUDA(Launch(nullptr, 1, 128, AddOne, x.data(), kSize));
  CHECK_CUDA(Launch(blocking, 1, 128, AddOne, x.data(), kSize));
  CHECK_CUDA(cudaStreamSynchronize(blocking));
  std::vector<float> values(kSize);
  CHECK_CUDA(cudaMemcpyAsync(values.data(), x.data(), kBytes, cudaMemcpyDeviceToHost, other_));
  EXPECT_EQ(values[0], 3.0f);
}

TEST_F(StreamTest, DestroyedStreamsFinishTheirWork) {
  Array<float> x(std::vector<float>(kSize, 0.0f));
  CHECK_CUDA(Launch(other_, 1, 128, AddOne, x.data(), kSize));
  CHECK_CUDA(cudaStreamDestroy(other_));
  EXPECT_EQ(Launch(other_, 1, 128, AddOne, x.data(), kSize), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(x.Values()[0], 1.0f);
}

TEST_F(StreamTest, LongQueuesRun) {
  Array<float> x(std::vector<float>(kSize, 0.0f));
  FillPinned(-1);
  for (int i = 0; i < 5000; ++i) CHECK_CUDA(Launch(stream_, 1, 128, AddOne, x.data(), kSize));
  EXPECT_EQ(x.Values()[kSize - 1], 5000.0f);
}

TEST_F(StreamTest, HostFunctionsRunInOrder) {
  Array<float> x(std::vector<float>(kSize, 0.0f));
  CHECK_CUDA(Launch(stream_, 1, 128, AddOne, x.data(), kSize));
  CHECK_CUDA(cudaMemcpyAsync(pinned_, x.data(), kBytes, cudaMemcpyDeviceToHost, stream_));
  const auto doubled = [](void* data) { *static_cast<float*>(data) *= 2; };
  CHECK_CUDA(cudaLaunchHostFunc(stream_, doubled, pinned_));
  CHECK_CUDA(cudaStreamSynchronize(stream_));
  EXPECT_EQ(pinned_[0], 2.0f);
}

TEST_F(StreamTest, ElapsedTimeIsRealTime) {
  cudaEvent_t begin = nullptr, end = nullptr;
  CHECK_CUDA(cudaEventCreate(&begin));
  CHECK_CUDA(cudaEventCreate(&end));
  float milliseconds = -1;
  CHECK_CUDA(cudaEventRecord(begin, stream_));
  CHECK_CUDA(cudaEventRecord(end, stream_));
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, begin, end), cudaErrorNotReady);
  CHECK_CUDA(cudaEventSynchronize(end));
  CHECK_CUDA(cudaEventElapsedTime(&milliseconds, begin, end));
  EXPECT_GE(milliseconds, 0.0f);
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, event_, end), cudaErrorInvalidResourceHandle) << "it has no time";
  CHECK_CUDA(cudaEventDestroy(begin));
  CHECK_CUDA(cudaEventDestroy(end));
  EXPECT_EQ(cudaEventDestroy(end), cudaErrorInvalidResourceHandle);
}

TEST_F(StreamTest, NewMemoryIsNan) {
  Array<float> x(kSize);
  for (const float value : x.Values()) EXPECT_NE(value, value);
}

TEST_F(StreamTest, MemoryRunsOut) {
  setenv("BITGATE_EMULATED_GPU_BYTES", "1048576", 1);
  void *half = nullptr, *more = nullptr;
  CHECK_CUDA(cudaMalloc(&half, 600000));
  EXPECT_EQ(cudaMalloc(&more, 600000), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaPeekAtLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  size_t left = 0, total = 0;
  CHECK_CUDA(cudaMemGetInfo(&left, &total));
  EXPECT_EQ(total, 1048576u);
  EXPECT_LE(left, total - 600000);
  CHECK_CUDA(cudaFree(half));
  CHECK_CUDA(cudaMalloc(&more, 600000));
  EXPECT_EQ(cudaFree(half), cudaErrorInvalidValue) << "freed twice";
  unsetenv("BITGATE_EMULATED_GPU_BYTES");
}

TEST_F(StreamTest, CopiesStayInsideOfOneAllocation) {
  Array<float> x(kSize), y(kSize);
  EXPECT_EQ(cudaMemcpyAsync(x.data(), pinned_, kBytes + 4, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(y.data() + 1, x.data(), kBytes, cudaMemcpyDeviceToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemcpyAsync(x.data(), y.data(), kBytes, cudaMemcpyHostToDevice, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(x.data() - 1, 0, 4, stream_), cudaErrorInvalidValue);
  EXPECT_EQ(cudaMemsetAsync(x.data(), 0, kBytes + 1, stream_), cudaErrorInvalidValue);
  CHECK_CUDA(cudaMemcpyAsync(x.data(), nullptr, 0, cudaMemcpyHostToDevice, stream_));
}

__global__ void WriteOneTooMany(char* x, int size) { x[size] = 1; }

TEST_F(StreamTest, SmallOverrunsAreNoticedWhenMemoryIsFreed) {
  char* x = nullptr;
  CHECK_CUDA(cudaMalloc(&x, 100));
  CHECK_CUDA(Launch(stream_, 1, 1, WriteOneTooMany, x, 100));
  EXPECT_EQ(cudaFree(x), cudaErrorIllegalAddress);
}

TEST_F(StreamTest, KnowsWhosePointersAre) {
  Array<float> x(kSize);
  cudaPointerAttributes attributes = {};
  CHECK_CUDA(cudaPointerGetAttributes(&attributes, x.data() + 3));
  EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  CHECK_CUDA(cudaPointerGetAttributes(&attributes, pinned_));
  EXPECT_EQ(attributes.type, cudaMemoryTypeHost);
  CHECK_CUDA(cudaPointerGetAttributes(&attributes, &attributes));
  EXPECT_EQ(attributes.type, cudaMemoryTypeUnregistered);
}

TEST_F(StreamTest, Devices) {
  int count = 0, version = 0, value = 0;
  CHECK_CUDA(cudaGetDeviceCount(&count));
  EXPECT_EQ(count, 1);
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
  cudaDeviceProp properties = {};
  CHECK_CUDA(cudaGetDeviceProperties(&properties, 0));
  CHECK_CUDA(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
  EXPECT_EQ(value, properties.major);

  setenv("BITGATE_EMULATED_GPUS", "2", 1);
  CHECK_CUDA(cudaSetDevice(1));
  EXPECT_EQ(Launch(stream_, 1, 1, AddOne, nullptr, 0), cudaErrorInvalidResourceHandle) << "of another device";
  CHECK_CUDA(cudaSetDevice(0));
  setenv("BITGATE_EMULATED_GPUS", "0", 1);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorNoDevice);
  EXPECT_STREQ(cudaGetErrorName(cudaErrorNoDevice), "cudaErrorNoDevice");
  unsetenv("BITGATE_EMULATED_GPUS");

  setenv("BITGATE_EMULATED_DRIVER", "12040", 1);
  CHECK_CUDA(cudaDriverGetVersion(&version));
  EXPECT_EQ(version, 12040);
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaErrorInsufficientDriver);
  unsetenv("BITGATE_EMULATED_DRIVER");
}

TEST_F(StreamTest, FailsWhenToldTo) {
  cudaDeviceReset();
  setenv("BITGATE_EMULATED_FAIL_AFTER", "2", 1);
  int device = 0;
  CHECK_CUDA(cudaGetDevice(&device));
  CHECK_CUDA(cudaGetDevice(&device));
  EXPECT_EQ(cudaGetDevice(&device), cudaErrorLaunchFailure);
  unsetenv("BITGATE_EMULATED_FAIL_AFTER");
  EXPECT_EQ(cudaGetDevice(&device), cudaErrorLaunchFailure) << "it sticks";
}

}  // namespace
}  // namespace cuda_emulator
