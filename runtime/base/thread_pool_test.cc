#include "runtime/base/thread_pool.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/base/error.h"

namespace bitgate {
namespace {

using Ranges = std::set<std::pair<int64_t, int64_t>>;

Ranges RangesOf(int64_t count, int64_t grain) {
  Ranges ranges;
  std::mutex mutex;
  ParallelFor(count, grain, [&](int64_t begin, int64_t end) {
    std::lock_guard<std::mutex> lock(mutex);
    EXPECT_TRUE(ranges.emplace(begin, end).second);
  });
  return ranges;
}

// First: nothing before it in this program may have called SetThreads.
TEST(ThreadPoolTest, DefaultsToWhatTheMachineOffers) {
  EXPECT_GE(Threads(), 1);
  EXPECT_LE(Threads(), kMaxThreads);
}

TEST(ThreadPoolTest, RangesCoverTheCountOnGrainBoundaries) {
  for (int threads : {1, 2, 3, 7}) {
    SetThreads(threads);
    EXPECT_EQ(Threads(), threads);
    for (int64_t grain : {1, 4, 100}) {
      for (int64_t count : {1, 2, 3, 4, 5, 99, 100, 101, 1000}) {
        int64_t next = 0;
        const Ranges ranges = RangesOf(count, grain);
        for (const auto& [begin, end] : ranges) {
          EXPECT_EQ(begin, next);
          EXPECT_EQ(begin % grain, 0);
          EXPECT_LT(begin, end);
          next = end;
        }
        EXPECT_EQ(next, count);
        EXPECT_EQ(static_cast<int64_t>(ranges.size()), std::min<int64_t>(threads, (count + grain - 1) / grain));
      }
    }
  }
}

TEST(ThreadPoolTest, NothingToDo) {
  EXPECT_TRUE(RangesOf(0, 1).empty());
  EXPECT_TRUE(RangesOf(-5, 1).empty());
}

TEST(ThreadPoolTest, HugeCountsAndGrainsDoNotOverflow) {
  SetThreads(3);
  const int64_t huge = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(RangesOf(huge, 1).size(), 3u);
  EXPECT_EQ(RangesOf(huge, 1).rbegin()->second, huge);
  EXPECT_EQ(RangesOf(huge, huge / 2).size(), 3u);
  EXPECT_EQ(RangesOf(10, huge), (Ranges{{0, 10}}));
  EXPECT_EQ(RangesOf(2, 0).size(), 2u);  // a grain below 1 counts as 1
}

TEST(ThreadPoolTest, RunsOnSeveralThreadsAndInlineForLittleWork) {
  SetThreads(3);
  std::set<std::thread::id> ids;
  std::mutex mutex;
  const auto note = [&](int64_t, int64_t) {
    std::lock_guard<std::mutex> lock(mutex);
    ids.insert(std::this_thread::get_id());
  };
  ParallelFor(3, 1, note);
  EXPECT_EQ(ids.size(), 3u);
  ids.clear();
  ParallelFor(3, 3, note);
  EXPECT_EQ(ids, std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(ThreadPoolTest, BlocksAreEachVisitedOnceInOrderPerThread) {
  SetThreads(4);
  std::vector<int> visits(1001, 0);
  std::vector<std::thread::id> owner(visits.size());
  ParallelBlocks(static_cast<int64_t>(visits.size()), [&](int64_t block) {
    ++visits[block];
    owner[block] = std::this_thread::get_id();
  });
  EXPECT_EQ(visits, std::vector<int>(visits.size(), 1));
  int changes = 0;
  for (size_t i = 1; i < owner.size(); ++i) changes += owner[i] != owner[i - 1] ? 1 : 0;
  EXPECT_EQ(changes, 3);
}

TEST(ThreadPoolTest, NestedLoopsRunInline) {
  SetThreads(2);
  std::atomic<int> total{0};
  ParallelFor(2, 1, [&](int64_t, int64_t) {
    const std::thread::id outer = std::this_thread::get_id();
    ParallelBlocks(10, [&](int64_t) {
      EXPECT_EQ(std::this_thread::get_id(), outer);
      ++total;
    });
  });
  EXPECT_EQ(total, 20);
}

TEST(ThreadPoolTest, TheLowestRangesExceptionReachesTheCaller) {
  SetThreads(4);
  for (int repeat = 0; repeat < 50; ++repeat) {
    std::atomic<int> finished{0};
    try {
      ParallelBlocks(8, [&](int64_t block) {
        if (block >= 2 && block % 2 == 0) throw InvalidArgument("block ", block);
        ++finished;
      });
      FAIL() << "no exception";
    } catch (const Error& error) {
      EXPECT_EQ(std::string(error.what()), "block 2");
    }
    EXPECT_EQ(finished, 2);  // the first range alone: in the others the first block throws and ends the range
  }
  SetThreads(1);
  EXPECT_THROW(ParallelFor(4, 1, [](int64_t, int64_t) { throw InvalidArgument("inline"); }), Error);
}

TEST(ThreadPoolTest, AcceptsConstAndTemporaryBodies) {
  SetThreads(2);
  struct Body {
    std::atomic<int64_t>* sum;
    void operator()(int64_t begin, int64_t end) const { *sum += end - begin; }
  };
  std::atomic<int64_t> sum{0};
  const Body body{&sum};
  ParallelFor(10, 1, body);
  ParallelFor(10, 1, Body{&sum});
  EXPECT_EQ(sum, 20);
}

TEST(ThreadPoolTest, EveryCallingThreadUsesTheProcessesNumber) {
  SetThreads(3);
  std::thread other([] {
    AdoptThreads();
    EXPECT_EQ(Threads(), 3);
    EXPECT_EQ(RangesOf(300, 1).size(), 3u);
  });
  other.join();
}

TEST(ThreadPoolTest, RejectsImpossibleNumbers) {
  SetThreads(2);
  for (int threads : {0, -1, kMaxThreads + 1}) {
    try {
      SetThreads(threads);
      FAIL() << threads;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_EQ(std::string(error.what()), "SetThreads: expected 1 to 1024 threads, got " + std::to_string(threads));
    }
  }
  EXPECT_EQ(Threads(), 2);
}

TEST(AdoptedThreadsTest, GivesTheCallersNumberBack) {
  const int before = Threads();
  SetThreads(2);
  std::thread([] {
    omp_set_num_threads(3);
    {
      const AdoptedThreads adopted;
      EXPECT_EQ(omp_get_max_threads(), 2);
    }
    EXPECT_EQ(omp_get_max_threads(), 3);
  }).join();
  SetThreads(before);
}

}  // namespace
}  // namespace bitgate
