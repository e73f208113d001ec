// Parallel loops on the OpenMP thread pool, the one that oneDNN uses, so that the two never compete for processors.
//
// Contract of every loop body: where one range ends and the next begins depends on the number of threads and must not
// influence results. Element-wise work fulfils this by nature; a reduction cuts its data into blocks whose size depends
// on the data alone, one partial result each (ParallelBlocks), and adds the partial results in block order.
//
// Loops return when all of it is done. They run on the calling thread if there is one thread, too little work, or the
// caller is itself inside a parallel loop. An exception thrown by a body reaches the caller after all threads have
// finished; of several, the one of the lowest range.
#ifndef BITGATE_RUNTIME_BASE_THREAD_POOL_H_
#define BITGATE_RUNTIME_BASE_THREAD_POOL_H_

#include <cstdint>
#include <memory>
#include <type_traits>

namespace bitgate {

inline constexpr int kMaxThreads = 1024;

// Number of threads of every later parallel loop in the process, and of oneDNN called from this thread. Throws
// InvalidArgument unless 1 <= threads <= kMaxThreads.
void SetThreads(int threads);

// What SetThreads said; before that, what OpenMP offers (OMP_NUM_THREADS, else the processors this process may use).
int Threads();

// OpenMP keeps its number of threads per calling thread. A thread other than the one that called SetThreads calls this
// before it calls oneDNN, which then uses Threads() too. Cheap; the loops below do not need it.
void AdoptThreads();

// AdoptThreads for a scope: what a library does in a thread that is its caller's, whose own number comes back.
class AdoptedThreads {
 public:
  AdoptedThreads();
  ~AdoptedThreads();
  AdoptedThreads(const AdoptedThreads&) = delete;
  AdoptedThreads& operator=(const AdoptedThreads&) = delete;

 private:
  int before_;
};

namespace internal {
using RangeBody = void (*)(void* body, int64_t begin, int64_t end);
void ParallelRanges(int64_t count, int64_t grain, RangeBody call, void* body);
}  // namespace internal

// body(begin, end) for disjoint ranges that cover [0, count), at most one a thread, each beginning at a multiple of
// `grain`, the least amount worth a thread (>= 1; smaller values count as 1). Nothing for count <= 0.
template <class Body>
void ParallelFor(int64_t count, int64_t grain, Body&& body) {
  using Plain = std::remove_reference_t<Body>;
  internal::ParallelRanges(
      count, grain, [](void* erased, int64_t begin, int64_t end) { (*static_cast<Plain*>(erased))(begin, end); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

// body(block) for every block in [0, blocks), neighbouring blocks on the same thread.
template <class Body>
void ParallelBlocks(int64_t blocks, Body&& body) {
  ParallelFor(blocks, 1, [&body](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) body(block);
  });
}

}  // namespace bitgate

#endif  // BITGATE_RUNTIME_BASE_THREAD_POOL_H_
