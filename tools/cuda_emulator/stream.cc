#include "tools/cuda_emulator/stream.h"

#include <algorithm>
#include <utility>

#include "tools/cuda_emulator/memory.h"
#include "tools/cuda_emulator/state.h"

namespace cuda_emulator {
namespace {

constexpr size_t kMaxQueue = 4096;  // memory should not grow for ever when nobody waits

}  // namespace

void Stream::Push(Work work) {
  if (queue_.size() >= kMaxQueue) RunUntil(end());
  queue_.push_back(std::move(work));
  polled = false;
}

void Stream::RunUntil(uint64_t number) {
  if (done_ >= number) return;
  DeviceAccess access;
  while (done_ < number && !queue_.empty()) {
    // Out of the queue before it runs: a wait may run other streams, which come back here for earlier entries.
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    if (ruin() == cudaSuccess) work();
    ++done_;
  }
}

Streams& Streams::Get() {
  static Streams& streams = *new Streams;
  return streams;
}

cudaStream_t Streams::Create(bool blocking) {
  live_.push_back(std::make_shared<Stream>(CurrentDevice(), blocking));
  return reinterpret_cast<cudaStream_t>(live_.back().get());
}

std::shared_ptr<Stream> Streams::Find(cudaStream_t handle) {
  if (handle == nullptr || handle == cudaStreamLegacy || handle == cudaStreamPerThread) {
    std::shared_ptr<Stream>& stream = null_streams_[CurrentDevice()];
    if (stream == nullptr) {
      stream = std::make_shared<Stream>(CurrentDevice(), true);
      live_.push_back(stream);
    }
    return stream;
  }
  for (const std::shared_ptr<Stream>& stream : live_) {
    if (reinterpret_cast<cudaStream_t>(stream.get()) == handle) return stream;
  }
  return nullptr;
}

cudaError_t Streams::Destroy(cudaStream_t handle) {
  const std::shared_ptr<Stream> stream = Find(handle);
  if (handle == nullptr || stream == nullptr || stream == null_streams_[stream->device()]) {
    return cudaErrorInvalidResourceHandle;
  }
  if (stream->captured()) {
    stream->membership.capture->invalid = true;
    stream->membership = {};
  }
  live_.erase(std::find(live_.begin(), live_.end(), stream));
  if (stream->done() < stream->end()) orphans_.push_back(stream);
  return cudaSuccess;
}

std::vector<Point> Streams::Predecessors(const Stream& stream) {
  std::vector<Point> points;
  const std::shared_ptr<Stream>& null_stream = null_streams_[stream.device()];
  if (null_stream == nullptr || !stream.blocking()) return points;
  if (&stream != null_stream.get()) {
    if (null_stream->done() < null_stream->end()) points.push_back({null_stream, null_stream->end()});
    return points;
  }
  for (const auto* list : {&live_, &orphans_}) {
    for (const std::shared_ptr<Stream>& other : *list) {
      if (other.get() == &stream || !other->blocking() || other->device() != stream.device()) continue;
      if (other->captured() || other->done() < other->end()) points.push_back({other, other->end()});
    }
  }
  return points;
}

void Streams::RunAll(int device) {
  for (const auto* list : {&live_, &orphans_}) {
    for (const std::shared_ptr<Stream>& stream : *list) {
      if (device < 0 || stream->device() == device) stream->RunUntil(stream->end());
    }
  }
  const auto idle = [](const std::shared_ptr<Stream>& stream) { return stream->done() == stream->end(); };
  orphans_.erase(std::remove_if(orphans_.begin(), orphans_.end(), idle), orphans_.end());
}

void Streams::Forget() {
  live_.clear();
  orphans_.clear();
  for (std::shared_ptr<Stream>& stream : null_streams_) stream = nullptr;
}

cudaError_t Enqueue(cudaStream_t handle, Work work) {
  const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
  if (stream == nullptr || stream->device() != CurrentDevice()) return cudaErrorInvalidResourceHandle;
  if (stream->captured()) {
    Capture& capture = *stream->membership.capture;
    if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
    capture.work->push_back(std::move(work));
    ++stream->membership.recorded;
    return cudaSuccess;
  }
  for (const Point& point : Streams::Get().Predecessors(*stream)) {
    // The null stream would have to wait for captured work.
    if (point.stream->captured()) return Spoil(*point.stream->membership.capture, cudaErrorStreamCaptureImplicit);
    stream->Push([point] { point.Reach(); });
  }
  stream->Push(std::move(work));
  return cudaSuccess;
}

}  // namespace cuda_emulator
