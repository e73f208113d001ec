#include "api/common/exclusive.h"

#include <thread>
#include <vector>

#include "gtest/gtest.h"

namespace bitgate::api {
namespace {

TEST(Hold, RefusesASecondUser) {
  Exclusive a, b;
  const Hold hold("first", {&a});
  EXPECT_TRUE(a.busy());
  EXPECT_THROW(Hold("second", {&b, &a}), BusyError);
  EXPECT_FALSE(b.busy());  // what it had taken is given back
}

TEST(Hold, TakesAHandleThatIsNamedTwiceOnce) {
  Exclusive a;
  { const Hold hold("call", {&a, nullptr, &a, &a}); }
  EXPECT_FALSE(a.busy());
}

TEST(Hold, OneOfManyThreadsAtATime) {
  Exclusive exclusive;
  int inside = 0;  // a race here is what the holding must prevent
  int64_t entered = 0, refused = 0;
  std::atomic<int64_t> refusals{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20000; ++i) {
        try {
          const Hold hold("call", {&exclusive});
          EXPECT_EQ(++inside, 1);
          ++entered;
          --inside;
        } catch (const BusyError&) {
          ++refusals;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  refused = refusals;
  EXPECT_EQ(entered + refused, 80000);
  EXPECT_GT(entered, 0);
}

}  // namespace
}  // namespace bitgate::api
