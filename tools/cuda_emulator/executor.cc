#include "tools/cuda_emulator/executor.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "tools/cuda_emulator/fiber.h"
#include "tools/cuda_emulator/include/cuda_emulator/device.h"
#include "tools/cuda_emulator/include/cuda_emulator/warp.h"
#include "tools/cuda_emulator/state.h"

uint3 threadIdx;
uint3 blockIdx;
dim3 blockDim;
dim3 gridDim;

namespace cuda_emulator {
namespace {

constexpr int kWarp = 32;

enum class Wait { kNothing, kBlock, kWarp, kReturned };

struct Thread {
  Fiber* fiber = nullptr;  // that it is parked on
  Wait wait = Wait::kNothing;
  // What it brought to its warp, and what it gets from it.
  unsigned mask = 0;
  int kind = 0;
  int source = 0;
  uint64_t value = 0;
  uint64_t result = 0;
  unsigned lanes = 0;
};

const char* const kCallNames[] = {"__shfl_sync",   "__shfl_up_sync", "__shfl_down_sync", "__shfl_xor_sync",
                                  "__ballot_sync", "__any_sync",     "__all_sync",       "__syncwarp"};

class Executor {
 public:
  void RunGrid(const dim3& grid, const dim3& block, const std::function<void()>& thread);
  bool running() const { return body_ != nullptr; }

  // From fibers.
  void ParkUntil(Wait wait);
  Thread& current() { return threads_[current_]; }
  int current_index() const { return current_; }
  [[noreturn]] void Abandon();

 private:
  static void FiberMain();
  void RunBlock();
  bool LetGo();
  bool LetGoOfWarp(int warp);
  void EnterFor(int thread);
  int Ordered(int position) const { return backwards_ ? count_ - 1 - position : position; }
  void SetThread(int thread);
  void ExplainStandstill();

  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* running_ = nullptr;
  const std::function<void()>* body_ = nullptr;
  Thread threads_[kMaxThreads];
  int count_ = 0;
  int next_ = 0;  // position of the thread to begin next
  int current_ = 0;
  bool backwards_ = false;
  bool failed_ = false;
  uint64_t launches_ = 0;
};

Executor& executor() {
  static Executor& instance = *new Executor;
  return instance;
}

uint64_t Scramble(uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

void Executor::SetThread(int thread) {
  current_ = thread;
  const unsigned index = static_cast<unsigned>(thread);
  if (blockDim.y == 1 && blockDim.z == 1) {
    threadIdx = {index, 0, 0};
  } else {
    threadIdx = {index % blockDim.x, index / blockDim.x % blockDim.y, index / (blockDim.x * blockDim.y)};
  }
}

void Executor::FiberMain() {
  Executor& self = executor();
  for (;;) {
    while (self.next_ < self.count_) {
      const int thread = self.Ordered(self.next_++);
      self.SetThread(thread);
      (*self.body_)();
      self.current().wait = Wait::kReturned;  // the current thread: the fiber may have been parked in between
    }
    self.idle_.push_back(self.running_);
    self.running_->Leave();
  }
}

void Executor::ParkUntil(Wait wait) {
  Thread& self = current();
  self.wait = wait;
  self.fiber = running_;
  running_->Leave();
}

void Executor::Abandon() {
  failed_ = true;
  running_->Leave();
  __builtin_unreachable();
}

void Executor::EnterFor(int thread) {
  running_ = threads_[thread].fiber;
  SetThread(thread);
  running_->Enter();
}

void Executor::RunBlock() {
  next_ = 0;
  for (int i = 0; i < count_; ++i) threads_[i].wait = Wait::kNothing;
  while (next_ < count_ && !failed_) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>(&FiberMain));
      idle_.push_back(fibers_.back().get());
    }
    running_ = idle_.back();
    idle_.pop_back();
    running_->Enter();
  }
  while (!failed_ && LetGo()) {
    for (int i = 0; i < count_ && !failed_; ++i) {
      const int thread = Ordered(i);
      if (threads_[thread].wait == Wait::kNothing) EnterFor(thread);
    }
  }
}

// Of the parked threads, frees those that all their partners have joined. False when all have returned, or none can go
// on, which is a failure.
bool Executor::LetGo() {
  int waiting = 0, at_barrier = 0;
  for (int i = 0; i < count_; ++i) {
    waiting += threads_[i].wait != Wait::kReturned;
    at_barrier += threads_[i].wait == Wait::kBlock;
  }
  if (waiting == 0) return false;
  if (waiting == at_barrier) {
    for (int i = 0; i < count_; ++i) {
      if (threads_[i].wait == Wait::kBlock) threads_[i].wait = Wait::kNothing;
    }
    return true;
  }
  bool any = false;
  for (int warp = 0; warp * kWarp < count_ && !failed_; ++warp) any = LetGoOfWarp(warp) || any;
  if (failed_) return false;
  if (!any) ExplainStandstill();
  return any;
}

bool Executor::LetGoOfWarp(int warp) {
  Thread* lanes = threads_ + warp * kWarp;
  const int size = std::min(kWarp, count_ - warp * kWarp);
  unsigned live = 0, here = 0;
  for (int i = 0; i < size; ++i) {
    live |= static_cast<unsigned>(lanes[i].wait != Wait::kReturned) << i;
    here |= static_cast<unsigned>(lanes[i].wait == Wait::kWarp) << i;
  }
  bool any = false;
  for (int i = 0; i < size; ++i) {
    if ((here >> i & 1u) == 0) continue;
    const unsigned group = lanes[i].mask & live;
    if ((group & ~here) != 0) continue;  // some lane is elsewhere
    for (int j = 0; j < size; ++j) {
      if ((group >> j & 1u) == 0) continue;
      if (lanes[j].mask != lanes[i].mask || lanes[j].kind != lanes[i].kind) {
        Complain("block (%u, %u, %u): thread %d is at %s with mask %08x, thread %d of its warp at %s with mask %08x",
                 blockIdx.x, blockIdx.y, blockIdx.z, warp * kWarp + i, kCallNames[lanes[i].kind], lanes[i].mask,
                 warp * kWarp + j, kCallNames[lanes[j].kind], lanes[j].mask);
        failed_ = true;
        return false;
      }
    }
    unsigned votes = 0;
    for (int j = 0; j < size; ++j) votes |= static_cast<unsigned>((group >> j & 1u) != 0 && lanes[j].value != 0) << j;
    for (int j = 0; j < size; ++j) {
      if ((group >> j & 1u) == 0) continue;
      const int source = lanes[j].source;
      const bool vote = source < 0;
      const bool there = !vote && source < kWarp && (group >> source & 1u) != 0;
      lanes[j].result = vote ? votes : there ? lanes[source].value : ~uint64_t{0};
      lanes[j].lanes = group;
    }
    for (int j = 0; j < size; ++j) {
      if ((group >> j & 1u) != 0) lanes[j].wait = Wait::kNothing;
    }
    here &= ~group;
    any = true;
  }
  return any;
}

void Executor::ExplainStandstill() {
  failed_ = true;
  int returned = 0;
  for (int i = 0; i < count_; ++i) returned += threads_[i].wait == Wait::kReturned;
  Complain("block (%u, %u, %u): threads wait for each other; %d of %d have returned", blockIdx.x, blockIdx.y,
           blockIdx.z, returned, count_);
  for (const Wait wait : {Wait::kBlock, Wait::kWarp}) {
    for (int i = 0; i < count_; ++i) {
      if (threads_[i].wait != wait) continue;
      Complain("  thread %d is the first that waits at %s", i,
               wait == Wait::kBlock ? "__syncthreads" : kCallNames[threads_[i].kind]);
      break;
    }
  }
}

void Executor::RunGrid(const dim3& grid, const dim3& block, const std::function<void()>& thread) {
  gridDim = grid;
  blockDim = block;
  count_ = static_cast<int>(block.x * block.y * block.z);
  body_ = &thread;
  failed_ = false;
  const uint64_t total = static_cast<uint64_t>(grid.x) * grid.y * grid.z;
  const uint64_t seed = Scramble(launches_++);
  // Steps of a size that has no factor in common with the number of blocks come to each block once.
  uint64_t step = seed % total;
  while (std::gcd(step, total) != 1) step = (step + 1) % total;
  uint64_t index = (seed >> 32) % total;
  for (uint64_t i = 0; i < total && !failed_; ++i) {
    blockIdx = {static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
                static_cast<unsigned>(index / grid.x / grid.y)};
    backwards_ = (Scramble(seed ^ index) & 1) != 0;
    RunBlock();
    index = (index + step) % total;
  }
  body_ = nullptr;
  if (failed_) {
    // Abandoned in the middle of their threads: of no use any more.
    idle_.clear();
    fibers_.clear();
    Ruin(cudaErrorLaunchFailure);
  }
}

}  // namespace

void RunGrid(const dim3& grid, const dim3& block, const std::function<void()>& thread) {
  executor().RunGrid(grid, block, thread);
}

bool KernelIsRunning() { return executor().running(); }

int Lane() { return executor().current_index() % kWarp; }

namespace {

Thread& Meet(unsigned mask, int kind, uint64_t value, int source) {
  Executor& all = executor();
  Thread& self = all.current();
  if ((mask >> Lane() & 1u) == 0) {
    Complain("block (%u, %u, %u): thread %d calls %s with a mask without itself, %08x", blockIdx.x, blockIdx.y,
             blockIdx.z, all.current_index(), kCallNames[kind], mask);
    all.Abandon();
  }
  self.mask = mask;
  self.kind = kind;
  self.value = value;
  self.source = source;
  all.ParkUntil(Wait::kWarp);
  return self;
}

}  // namespace

uint64_t Exchange(unsigned mask, int kind, uint64_t bits, int source) {
  return Meet(mask, kind, bits, source & (kWarp - 1)).result;
}

unsigned Vote(unsigned mask, int kind, bool predicate, unsigned* lanes) {
  const Thread& self = Meet(mask, kind, predicate ? 1 : 0, -1);
  *lanes = self.lanes;
  return static_cast<unsigned>(self.result);
}

}  // namespace cuda_emulator

void __syncthreads() { cuda_emulator::executor().ParkUntil(cuda_emulator::Wait::kBlock); }

void __trap() {
  cuda_emulator::Complain("__trap in block (%u, %u, %u), thread (%u, %u, %u)", blockIdx.x, blockIdx.y, blockIdx.z,
                          threadIdx.x, threadIdx.y, threadIdx.z);
  cuda_emulator::executor().Abandon();
}
