#include "runtime/base/thread_pool.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>

#include "runtime/base/error.h"

namespace bitgate {
namespace {

std::atomic<int> process_threads{0};  // 0: not asked for yet

// The exception of the lowest range, whichever thread finishes first: a failure is reproducible too.
class FirstFailure {
 public:
  void Keep(int64_t range) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (exception_ && range_ < range) return;
    exception_ = std::current_exception();
    range_ = range;
  }
  void Rethrow() const {
    if (exception_) std::rethrow_exception(exception_);
  }

 private:
  std::mutex mutex_;
  std::exception_ptr exception_;
  int64_t range_ = 0;
};

}  // namespace

void SetThreads(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw InvalidArgument("SetThreads: expected 1 to ", kMaxThreads, " threads, got ", threads);
  }
  process_threads.store(threads);
  omp_set_num_threads(threads);
}

int Threads() {
  const int threads = process_threads.load();
  if (threads != 0) return threads;
  // Two threads may come here at once: the first to store decides.
  int expected = 0;
  const int offered = std::min(omp_get_max_threads(), kMaxThreads);
  return process_threads.compare_exchange_strong(expected, offered) ? offered : expected;
}

void AdoptThreads() { omp_set_num_threads(Threads()); }

AdoptedThreads::AdoptedThreads() : before_(omp_get_max_threads()) { AdoptThreads(); }

AdoptedThreads::~AdoptedThreads() { omp_set_num_threads(before_); }

namespace internal {

void ParallelRanges(int64_t count, int64_t grain, RangeBody call, void* body) {
  if (count <= 0) return;
  grain = std::max<int64_t>(grain, 1);
  const int64_t grains = (count - 1) / grain + 1;
  const int64_t ranges = std::min<int64_t>(grains, Threads());
  if (ranges == 1 || omp_in_parallel()) {
    call(body, 0, count);
    return;
  }
  // The first `longer` ranges have one grain more than the others.
  const int64_t shortest = grains / ranges;
  const int64_t longer = grains % ranges;
  FirstFailure failure;
#pragma omp parallel for num_threads(static_cast <int>(ranges)) schedule(static, 1)
  for (int64_t range = 0; range < ranges; ++range) {
    const int64_t begin = range * shortest + std::min(range, longer);
    const int64_t end = begin + shortest + (range < longer ? 1 : 0);
    try {
      call(body, begin * grain, range == ranges - 1 ? count : end * grain);
    } catch (...) {
      failure.Keep(range);
    }
  }
  failure.Rethrow();
}

}  // namespace internal
}  // namespace bitgate
