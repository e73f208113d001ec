// Stream capture: work that is recorded instead of queued, and replayed later.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_GRAPH_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_GRAPH_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace cuda_emulator {

class Stream;

// One capture, from begin to end. Work of every stream that takes part is kept in the order in which it was issued,
// which respects each order that events can have established.
struct Capture {
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread;
  bool invalid = false;
  bool ended = false;
  std::shared_ptr<std::vector<std::function<void()>>> work = std::make_shared<std::vector<std::function<void()>>>();
  std::vector<std::shared_ptr<Stream>> streams;  // the first began it, the others were joined by waiting for events
};

// A stream's part in a capture.
struct CaptureMembership {
  std::shared_ptr<Capture> capture;
  uint64_t recorded = 0;  // entries of this stream, its joining included
  uint64_t rejoined = 0;  // how many of them another stream has waited for
};

// For calls that might have to wait for captured work: refuses them, and invalidates the captures that they would
// disturb. With `any_thread` even captures that are other threads' own business.
cudaError_t RefuseWhileCapturing(bool any_thread = false);

// Invalidates, returns `error`.
cudaError_t Spoil(Capture& capture, cudaError_t error);

void ForgetCaptures();

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_GRAPH_H_
