// Streams as queues of work that nobody runs before somebody must wait for it.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_STREAM_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_STREAM_H_

#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tools/cuda_emulator/graph.h"
#include "tools/cuda_emulator/state.h"

namespace cuda_emulator {

using Work = std::function<void()>;

class Stream {
 public:
  Stream(int device, bool blocking) : device_(device), blocking_(blocking) {}

  int device() const { return device_; }
  bool blocking() const { return blocking_; }  // ordered with the null stream

  // Behind what is queued. A queue that has grown long runs first.
  void Push(Work work);
  // How much was queued ever: the number of the last entry, counted from 1.
  uint64_t end() const { return done_ + queue_.size(); }
  uint64_t done() const { return done_; }
  // Runs the queue up to entry `number`. Once the context is ruined, entries count as done without running.
  void RunUntil(uint64_t number);

  bool captured() const { return membership.capture != nullptr; }
  CaptureMembership membership;
  bool polled = false;  // whether cudaStreamQuery has said "not ready" since the last push

 private:
  const int device_;
  const bool blocking_;
  std::deque<Work> queue_;
  uint64_t done_ = 0;
};

// A place in a stream's order.
struct Point {
  std::shared_ptr<Stream> stream;
  uint64_t number = 0;
  bool Passed() const { return stream == nullptr || stream->done() >= number; }
  void Reach() const {
    if (stream != nullptr) stream->RunUntil(number);
  }
};

// All streams of the process, the null streams of the devices among them.
class Streams {
 public:
  static Streams& Get();

  cudaStream_t Create(bool blocking);
  // What is queued still runs when somebody waits for everything.
  cudaError_t Destroy(cudaStream_t handle);
  // Null for a handle that is none. The null stream is that of the current device.
  std::shared_ptr<Stream> Find(cudaStream_t handle);
  // What a null or a blocking stream has to wait for before its next entry.
  std::vector<Point> Predecessors(const Stream& stream);

  void RunAll(int device = -1);
  void Forget();

 private:
  std::vector<std::shared_ptr<Stream>> live_;  // the null streams too, once used
  std::vector<std::shared_ptr<Stream>> orphans_;
  std::shared_ptr<Stream> null_streams_[kMaxDevices];
};

// Queues `work` on the stream, or has its capture record it. cudaErrorInvalidResourceHandle for a stream that is none
// or of another device than the current one.
cudaError_t Enqueue(cudaStream_t handle, Work work);

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_STREAM_H_
