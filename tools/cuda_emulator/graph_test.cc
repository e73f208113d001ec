// Capture and replay.
#include <functional>

#include "tools/cuda_emulator/test_util.h"

namespace cuda_emulator {
namespace {

class GraphTest : public EmulatorTest {
 protected:
  void SetUp() override {
    EmulatorTest::SetUp();
    CHECK_CUDA(cudaStreamCreateWithFlags(&other_, cudaStreamNonBlocking));
    for (cudaEvent_t& event : events_) CHECK_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
  }
  void TearDown() override {
    for (const cudaEvent_t event : events_) cudaEventDestroy(event);
    EmulatorTest::TearDown();
  }
  cudaError_t Begin() { return cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal); }
  cudaError_t End() { return cudaStreamEndCapture(stream_, &graph_); }

  cudaStream_t other_ = nullptr;
  cudaEvent_t events_[2] = {};
  cudaGraph_t graph_ = nullptr;
};

__global__ void Add(float* x, float amount) { *x += amount; }

TEST_F(GraphTest, ReplaysWithTheArgumentsOfTheCapture) {
  Array<float> x(std::vector<float>{0});
  float* pinned = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, sizeof(float)));
  float amount = 2;
  CHECK_CUDA(Begin());
  CHECK_CUDA(Launch(stream_, 1, 1, Add, x.data(), amount));
  CHECK_CUDA(cudaMemcpyAsync(pinned, x.data(), sizeof(float), cudaMemcpyDeviceToHost, stream_));
  CHECK_CUDA(cudaMemsetAsync(x.data(), 0, sizeof(float), stream_));
  CHECK_CUDA(Launch(stream_, 1, 1, Add, x.data(), amount + 1));
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  CHECK_CUDA(cudaStreamIsCapturing(stream_, &status));
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  CHECK_CUDA(End());
  amount = 100;
  EXPECT_EQ(x.Values()[0], 0.0f) << "captured work does not run";

  cudaGraphExec_t executable = nullptr;
  CHECK_CUDA(cudaGraphInstantiate(&executable, graph_, 0));
  CHECK_CUDA(cudaGraphDestroy(graph_));
  for (const float expected : {2.0f, 5.0f, 5.0f}) {
    *pinned = 0;
    CHECK_CUDA(cudaGraphLaunch(executable, stream_));
    EXPECT_EQ(*pinned, 0.0f) << "nor does a launched graph before somebody waits";
    CHECK_CUDA(cudaStreamSynchronize(stream_));
    EXPECT_EQ(*pinned, expected);
    EXPECT_EQ(x.Values()[0], 3.0f);
  }
  // Launches of one graph follow each other, whatever their streams.
  CHECK_CUDA(cudaGraphLaunch(executable, stream_));
  CHECK_CUDA(cudaGraphLaunch(executable, other_));
  CHECK_CUDA(cudaGraphExecDestroy(executable));
  CHECK_CUDA(cudaStreamSynchronize(other_));
  EXPECT_EQ(cudaStreamQuery(stream_), cudaSuccess);
  CHECK_CUDA(cudaFreeHost(pinned));
}

TEST_F(GraphTest, RefusesWhatCannotBeCaptured) {
  Array<float> x(std::vector<float>{0});
  float value = 0, *pinned = nullptr;
  void* block = nullptr;
  CHECK_CUDA(cudaMallocHost(&pinned, sizeof(float)));
  const std::vector<std::function<cudaError_t()>> refused = {
      [&] { return cudaStreamSynchronize(stream_); },
      [&] { return cudaDeviceSynchronize(); },
      [&] { return cudaStreamQuery(stream_); },
      [&] { return cudaEventQuery(events_[0]); },
      [&] { return cudaEventSynchronize(events_[0]); },
      [&] { return cudaMalloc(&block, 64); },
      [&] { return cudaFree(x.data()); },
      [&] { return cudaHostAlloc(&block, 64, 0); },
      [&] { return cudaMemcpy(&value, x.data(), 4, cudaMemcpyDeviceToHost); },
      [&] { return cudaMemcpyAsync(&value, x.data(), 4, cudaMemcpyDeviceToHost, stream_); },
      [&] { return cudaMemcpyAsync(x.data(), &value, 4, cudaMemcpyHostToDevice, stream_); },
  };
  for (size_t i = 0; i < refused.size(); ++i) {
    CHECK_CUDA(Begin());
    CHECK_CUDA(Launch(stream_, 1, 1, Add, x.data(), 1.0f));
    EXPECT_EQ(refused[i](), cudaErrorStreamCaptureUnsupported) << i;
    EXPECT_EQ(Launch(stream_, 1, 1, Add, x.data(), 1.0f), cudaErrorStreamCaptureInvalidated) << i;
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    CHECK_CUDA(cudaStreamIsCapturing(stream_, &status));
    EXPECT_EQ(status, cudaStreamCaptureStatusInvalidated);
    EXPECT_EQ(End(), cudaErrorStreamCaptureInvalidated) << i;
    EXPECT_EQ(graph_, nullptr);
    cudaGetLastError();
    // And the stream is usable again.
    CHECK_CUDA(Launch(stream_, 1, 1, Add, x.data(), 1.0f));
    CHECK_CUDA(cudaStreamSynchronize(stream_));
  }
  EXPECT_EQ(x.Values()[0], static_cast<float>(refused.size())) << "nothing captured has run";
  CHECK_CUDA(cudaFreeHost(pinned));
}

TEST_F(GraphTest, OtherStreamsJoinByEvents) {
  Array<float> x(std::vector<float>{0});
  CHECK_CUDA(Begin());
  CHECK_CUDA(Launch(stream_, 1, 1, Add, x.data(), 1.0f));
  CHECK_CUDA(cudaEventRecord(events_[0], stream_));
  CHECK_CUDA(cudaStreamWaitEvent(other_, events_[0], 0));
  CHECK_CUDA(Launch(other_, 1, 1, Add, x.data(), 10.0f));
  CHECK_CUDA(cudaEventRecord(events_[1], other_));
  CHECK_CUDA(cudaStreamWaitEvent(stream_, events_[1], 0));
  CHECK_CUDA(End());
  cudaGraphExec_t executable = nullptr;
  CHECK_CUDA(cudaGraphInstantiate(&executable, graph_, 0));
  CHECK_CUDA(cudaGraphLaunch(executable, stream_));
  EXPECT_EQ(x.Values()[0], 11.0f);
  CHECK_CUDA(cudaGraphExecDestroy(executable));
  CHECK_CUDA(cudaGraphDestroy(graph_));
  EXPECT_EQ(cudaEventQuery(events_[0]), cudaErrorCapturedEvent);
}

TEST_F(GraphTest, RefusesLooseEnds) {
  Array<float> x(std::vector<float>{0});
  CHECK_CUDA(Begin());
  CHECK_CUDA(cudaEventRecord(events_[0], stream_));
  CHECK_CUDA(cudaStreamWaitEvent(other_, events_[0], 0));
  CHECK_CUDA(Launch(other_, 1, 1, Add, x.data(), 10.0f));
  EXPECT_EQ(End(), cudaErrorStreamCaptureUnjoined);

  // Work from outside of the capture is none that it could wait for.
  CHECK_CUDA(Launch(other_, 1, 1, Add, x.data(), 10.0f));
  CHECK_CUDA(cudaEventRecord(events_[0], other_));
  CHECK_CUDA(Begin());
  EXPECT_EQ(cudaStreamWaitEvent(stream_, events_[0], 0), cudaErrorStreamCaptureIsolation);
  EXPECT_EQ(End(), cudaErrorStreamCaptureInvalidated);
}

TEST_F(GraphTest, TheNullStreamDoesNotWaitForACapture) {
  Array<float> x(std::vector<float>{0});
  cudaStream_t blocking = nullptr;
  CHECK_CUDA(cudaStreamCreate(&blocking));
  CHECK_CUDA(cudaStreamBeginCapture(blocking, cudaStreamCaptureModeThreadLocal));
  EXPECT_EQ(Launch(nullptr, 1, 1, Add, x.data(), 1.0f), cudaErrorStreamCaptureImplicit);
  EXPECT_EQ(cudaStreamEndCapture(blocking, &graph_), cudaErrorStreamCaptureInvalidated);
}

TEST_F(GraphTest, ReplayIntoFreedMemoryFails) {
  float* x = nullptr;
  CHECK_CUDA(cudaMalloc(&x, sizeof(float)));
  CHECK_CUDA(Begin());
  CHECK_CUDA(cudaMemsetAsync(x, 0, sizeof(float), stream_));
  CHECK_CUDA(End());
  cudaGraphExec_t executable = nullptr;
  CHECK_CUDA(cudaGraphInstantiate(&executable, graph_, 0));
  CHECK_CUDA(cudaFree(x));
  CHECK_CUDA(cudaGraphLaunch(executable, stream_));
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorIllegalAddress);
}

}  // namespace
}  // namespace cuda_emulator
