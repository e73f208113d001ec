#include "api/common/fork.h"

#include <pthread.h>

#include <atomic>
#include <new>

namespace bitgate::api {
namespace {

std::atomic<bool> forked{false};

}  // namespace

void CheckNotForked() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] { forked.store(true, std::memory_order_relaxed); });
  if (registered != 0) throw std::bad_alloc();
  if (IsForkedChild()) throw ForkedError();
}

bool IsForkedChild() noexcept { return forked.load(std::memory_order_relaxed); }

}  // namespace bitgate::api
