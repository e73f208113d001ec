#include "tools/cuda_emulator/graph.h"

#include <algorithm>
#include <utility>

#include "tools/cuda_emulator/state.h"
#include "tools/cuda_emulator/stream.h"

// The opaque types of the toolkit's header.
struct CUgraph_st {
  std::shared_ptr<std::vector<cuda_emulator::Work>> work;
};

struct CUgraphExec_st {
  std::shared_ptr<std::vector<cuda_emulator::Work>> work;
  cuda_emulator::Point last;  // its launches never overlap, in whichever streams they are
};

namespace cuda_emulator {
namespace {

std::vector<std::shared_ptr<Capture>>& Active() {
  static auto& captures = *new std::vector<std::shared_ptr<Capture>>;
  return captures;
}

}  // namespace

cudaError_t Spoil(Capture& capture, cudaError_t error) {
  capture.invalid = true;
  return error;
}

cudaError_t RefuseWhileCapturing(bool any_thread) {
  bool refused = false;
  for (const std::shared_ptr<Capture>& capture : Active()) {
    const bool own = capture->thread == std::this_thread::get_id();
    const bool disturbed =
        capture->mode == cudaStreamCaptureModeGlobal || (capture->mode == cudaStreamCaptureModeThreadLocal && own);
    if (!disturbed && !any_thread) continue;
    capture->invalid = true;
    refused = true;
  }
  return refused ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

void ForgetCaptures() { Active().clear(); }

namespace {

// Of the streams that took part, none may end with work that no other has waited for.
bool AllRejoined(const Capture& capture) {
  for (size_t i = 1; i < capture.streams.size(); ++i) {
    const CaptureMembership& part = capture.streams[i]->membership;
    if (part.rejoined < part.recorded) return false;
  }
  return true;
}

cudaError_t EndCapture(const std::shared_ptr<Stream>& stream, cudaGraph_t* graph) {
  const std::shared_ptr<Capture> capture = stream->membership.capture;
  if (capture == nullptr) return cudaErrorIllegalState;
  if (capture->streams.front() != stream) return Spoil(*capture, cudaErrorStreamCaptureUnmatched);
  if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id()) {
    return Spoil(*capture, cudaErrorStreamCaptureWrongThread);
  }
  const bool joined = AllRejoined(*capture);
  for (const std::shared_ptr<Stream>& part : capture->streams) part->membership = {};
  capture->streams.clear();  // or it and they would keep each other alive
  capture->ended = true;
  Active().erase(std::find(Active().begin(), Active().end(), capture));
  if (capture->invalid) return cudaErrorStreamCaptureInvalidated;
  if (!joined) return cudaErrorStreamCaptureUnjoined;
  *graph = new CUgraph_st{capture->work};
  return cudaSuccess;
}

}  // namespace
}  // namespace cuda_emulator

using cuda_emulator::Call;
using cuda_emulator::Stream;
using cuda_emulator::Streams;

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  return Call([&] {
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    // The null stream orders itself with others, which a graph cannot.
    if (handle == nullptr || handle == cudaStreamLegacy) return cudaErrorStreamCaptureUnsupported;
    if (stream->captured()) return cudaErrorIllegalState;
    auto capture = std::make_shared<cuda_emulator::Capture>();
    capture->mode = mode;
    capture->thread = std::this_thread::get_id();
    capture->streams.push_back(stream);
    stream->membership.capture = capture;
    cuda_emulator::Active().push_back(capture);
    return cudaSuccess;
  });
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  return Call([&] {
    *graph = nullptr;
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    return stream == nullptr ? cudaErrorInvalidResourceHandle : cuda_emulator::EndCapture(stream, graph);
  });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  return Call([&] {
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    *status = !stream->captured()                   ? cudaStreamCaptureStatusNone
              : stream->membership.capture->invalid ? cudaStreamCaptureStatusInvalidated
                                                    : cudaStreamCaptureStatusActive;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  return Call([&] {
    if (graph == nullptr) return cudaErrorInvalidValue;
    const cudaError_t refused = cuda_emulator::RefuseWhileCapturing();
    if (refused != cudaSuccess) return refused;
    *executable = new CUgraphExec_st{graph->work, {}};
    return cudaSuccess;
  });
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
  return cudaGraphInstantiate(executable, graph, flags);
}

cudaError_t cudaGraphUpload(cudaGraphExec_t executable, cudaStream_t) {
  return Call([&] { return executable == nullptr ? cudaErrorInvalidValue : cudaSuccess; });
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t handle) {
  return Call([&] {
    if (executable == nullptr) return cudaErrorInvalidValue;
    const std::shared_ptr<Stream> stream = Streams::Get().Find(handle);
    if (stream == nullptr) return cudaErrorInvalidResourceHandle;
    // CUDA would nest it; nobody here does.
    if (stream->captured()) return Spoil(*stream->membership.capture, cudaErrorStreamCaptureUnsupported);
    const auto work = executable->work;
    const cuda_emulator::Point last = executable->last;
    const cudaError_t error = cuda_emulator::Enqueue(handle, [work, last] {
      last.Reach();
      for (const cuda_emulator::Work& entry : *work) {
        if (cuda_emulator::ruin() == cudaSuccess) entry();
      }
    });
    if (error == cudaSuccess) executable->last = {stream, stream->end()};
    return error;
  });
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t* nodes, size_t* count) {
  return Call([&] {
    if (graph == nullptr || nodes != nullptr) return cudaErrorNotSupported;
    *count = graph->work->size();
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  return Call([&] {
    delete executable;
    return cudaSuccess;
  });
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  return Call([&] {
    delete graph;
    return cudaSuccess;
  });
}
