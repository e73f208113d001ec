#include "tools/cuda_emulator/fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>

#include "tools/cuda_emulator/state.h"

#if !defined(__x86_64__)
#error "cuda_emulator: the switch between fibers is written for x86-64"
#endif

// void bitgate_emulator_switch(void** save, void* load): what the calling convention wants preserved goes to the stack
// that is left, whose pointer goes to *save.
asm(R"(
  .text
  .type bitgate_emulator_switch, @function
  .hidden bitgate_emulator_switch
  .globl bitgate_emulator_switch
bitgate_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size bitgate_emulator_switch, . - bitgate_emulator_switch
)");

extern "C" void bitgate_emulator_switch(void** save, void* load) __attribute__((visibility("hidden")));

namespace cuda_emulator {
namespace {

constexpr size_t kGuardBytes = 4096;
// Stacks begin at different lines of the cache, or those of a block would all compete for the same few.
constexpr size_t kColors = 61, kColorBytes = 192;
size_t fibers_made = 0;

}  // namespace

Fiber::Fiber(void (*main)()) {
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED || mprotect(stack, kGuardBytes, PROT_NONE) != 0) {
    Complain("no memory for a thread's stack");
    std::abort();
  }
  stack_ = static_cast<char*>(stack);
  // Six registers and the address to "return" to, placed so that the stack is aligned as after a call.
  void** top = reinterpret_cast<void**>(stack_ + kStackBytes - fibers_made++ % kColors * kColorBytes) - 2;
  *top = reinterpret_cast<void*>(main);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  inside_ = top;
  outside_ = nullptr;
}

Fiber::~Fiber() { munmap(stack_, kStackBytes); }

void Fiber::Enter() { bitgate_emulator_switch(&outside_, inside_); }
void Fiber::Leave() { bitgate_emulator_switch(&inside_, outside_); }

}  // namespace cuda_emulator
