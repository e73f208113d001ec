// Stacks to run functions on, and the switch between them. x86-64; without system calls, unlike swapcontext.
#ifndef BITGATE_TOOLS_CUDA_EMULATOR_FIBER_H_
#define BITGATE_TOOLS_CUDA_EMULATOR_FIBER_H_

#include <cstddef>

namespace cuda_emulator {

class Fiber {
 public:
  static constexpr size_t kStackBytes = 256 * 1024;

  // `main` begins when the fiber is entered for the first time. It must not return.
  explicit Fiber(void (*main)());
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // Continues the fiber where it left off; returns when it calls Leave.
  void Enter();
  // From within: back to whoever entered it.
  void Leave();

 private:
  char* stack_;
  void* inside_;   // the stack pointer while it rests
  void* outside_;  // that of whoever entered it
};

}  // namespace cuda_emulator

#endif  // BITGATE_TOOLS_CUDA_EMULATOR_FIBER_H_
