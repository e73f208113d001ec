// The run-time library's functions on streams and events.
#include <algorithm>
#include <chrono>
#include <memory>
#include <set>

#include "tools/cuda_emulator/graph.h"
#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

using cuda_emulator::Call;
using cuda_emulator::Point;
using cuda_emulator::RefuseWhileCapturing;
using cuda_emulator::Spoil;
using cuda_emulator::Stream;
using cuda_emulator::Streams;

// The opaque type of the toolkit's header.
struct CUevent_st {
  int device = 0;
  bool timed = false;
  bool polled = false;
  Point point;
  std::shared_ptr<double> milliseconds;  // when the point was passed
  // If last recorded in a capture: where.
  std::shared_ptr<cuda_emulator::Capture> capture;
  std::shared_ptr<Stream> capture_stream;
  uint64_t capture_number = 0;
};

namespace {

constexpr uint64_t kEntriesPerPoll = 64;

double Now() {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::set<cudaEvent_t>& Events() {
  static auto& events = *new std::set<cudaEvent_t>;
  return events;
}

bool IsEvent(cudaEvent_t event) { return Events().count(event) != 0; }

// The first question is always answered "not ready", unless nothing is left; each later one lets some work run.
cudaError_t Poll(const Point& point, bool* polled) {
  if (point.Passed()) return cudaSuccess;
  if (*polled) point.stream->RunUntil(std::min(point.number, point.stream->done() + kEntriesPerPoll));
  *polled = true;
  return point.Passed() ? cudaSuccess : cudaErrorNotReady;
}

// Work that is behind nothing at all in a captured stream has no state to ask for.
cudaError_t RefuseCapturedEvent(const CUevent_st& event) {
  if (event.capture == nullptr) return cudaSuccess;
  return Spoil(*event.capture, cudaErrorCapturedEvent);
}

cudaError_t Record(CUevent_st& event, const std::shared_ptr<Stream>& stream) {
  if (stream == nullptr || stream->device() != event.device) return cudaErrorInvalidResourceHandle;
  event.capture = stream->membership.capture;
  if (event.capture != nullptr) {
    if (event.capture->invalid) return cudaErrorStreamCaptureInvalidated;
    event.capture_stream = stream;
    event.capture_number = stream->membership.recorded;
    event.point = {};
    return cudaSuccess;
  }
  event.capture_stream = nullptr;
  event.milliseconds = std::make_shared<double>(0);
  event.polled = false;
  for (const Point& point : Streams::Get().Predecessors(*stream)) stream->Push([point] { point.Reach(); });
  stream->Push([time = event.milliseconds] { *time = Now(); });
  event.point = {stream, stream->end()};
  return cudaSuccess;
}

// The stream takes part in the event's capture from now on, or is told that another stream's work is waited for.
cudaError_t WaitWithinCapture(const CUevent_st& event, const std::shared_ptr<Stream>& stream) {
  const std::shared_ptr<cuda_emulator::Capture>& capture = event.capture;
  if (capture->ended) return cudaErrorCapturedEvent;
  if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!stream->captured()) {
    stream->membership = {capture, 1, 0};
    capture->streams.push_back(stream);
  } else if (stream->membership.capture != capture) {
    Spoil(*stream->membership.capture, cudaErrorStreamCaptureMerge);
    return Spoil(*capture, cudaErrorStreamCaptureMerge);
  }
  if (event.capture_stream != stream) {
    uint64_t& rejoined = event.capture_stream->membership.rejoined;
    rejoined = std::max(rejoined, event.capture_number);
  }
  return cudaSuccess;
}

cudaError_t Wait(const CUevent_st& event, const std::shared_ptr<Stream>& stream) {
  if (event.capture != nullptr) return WaitWithinCapture(event, stream);
  if (event.point.stream == nullptr) return cudaSuccess;  // never recorded
  if (stream->captured()) return Spoil(*stream->membership.capture, cudaErrorStreamCaptureIsolation);
  stream->Push([point = event.point] { point.Reach(); });
  return cudaSuccess;
}

cudaError_t CreateEvent(cudaEvent_t* result, unsigned flags) {
  *result = new CUevent_st;
  (*result)->device = cuda_emulator::CurrentDevice();
  (*result)->timed = (flags & cudaEventDisableTiming) == 0;
  Events().insert(*result);
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return Call([&] {
    *stream = Streams::Get().Create(flags != cudaStreamNonBlocking);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  return Call([&] { return Streams::Get().Destroy(stream); });
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle) {
  return Call([&] {
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    const cudaError_t refused = RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    if (stream->captured()) return Spoil(*stream->membership.capture, cudaErrorStreamCaptureUnsupported);
    for (const Point& point : Streams::Get().Predecessors(*stream)) point.Reach();
    stream->RunUntil(stream->end());
    return cudaSuccess;
  });
}

cudaError_t cudaStreamQuery(cudaStream_t handle) {
  return Call([&] {
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    const cudaError_t refused = RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    if (stream->captured()) return Spoil(*stream->membership.capture, cudaErrorStreamCaptureUnsupported);
    return Poll({stream, stream->end()}, &stream->polled);
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  return Call([&] {
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    return stream == nullptr || !IsEvent(event) ? cudaErrorInvalidResourceHandle : Wait(*event, stream);
  });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  return Call([&] { return CreateEvent(event, flags); });
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  return Call([&] {
    if (Events().erase(event) == 0) return cudaErrorInvalidResourceHandle;
    delete event;
    return cudaSuccess;
  });
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  return Call([&] {
    if (!IsEvent(event)) return cudaErrorInvalidResourceHandle;
    return Record(*event, Streams::Get().Find(handle));
  });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
  return Call([&] {
    if (!IsEvent(event)) return cudaErrorInvalidResourceHandle;
    cudaError_t refused = RefuseWhileCapturing();
    if (refused == cudaSuccess) refused = RefuseCapturedEvent(*event);
    return refused != cudaSuccess ? refused : Poll(event->point, &event->polled);
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  return Call([&] {
    if (!IsEvent(event)) return cudaErrorInvalidResourceHandle;
    cudaError_t refused = RefuseWhileCapturing();
    if (refused == cudaSuccess) refused = RefuseCapturedEvent(*event);
    if (refused == cudaSuccess) event->point.Reach();
    return refused;
  });
}

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  return Call([&] {
    if (!IsEvent(start) || !IsEvent(end) || !start->timed || !end->timed) return cudaErrorInvalidResourceHandle;
    if (start->point.stream == nullptr || end->point.stream == nullptr) return cudaErrorInvalidResourceHandle;
    if (!start->point.Passed() || !end->point.Passed()) return cudaErrorNotReady;
    *milliseconds = static_cast<float>(*end->milliseconds - *start->milliseconds);
    return cudaSuccess;
  });
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return Call([&] { return cuda_emulator::Enqueue(stream, [function, data] { function(data); }); });
}
