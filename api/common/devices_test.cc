#include "api/common/devices.h"

#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "ops/elementwise/elementwise.h"
#include "runtime/device/test_context.h"
#include "runtime/tensor/copy.h"

namespace bitgate::api {
namespace {

using Floats = std::vector<float>;

Floats Elements(const Tensor& tensor) {
  Floats values(static_cast<size_t>(tensor.size()));
  CopyToHost(values.data(), tensor);
  return values;
}

TEST(Devices, CopiesFollowWhatIsQueued) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, Floats(5000, 2), {5000});
  EXPECT_EQ(Elements(Scale(context, x, 3)), Floats(5000, 6));
  const Tensor y = Scale(context, x, 3);
  CopyFromHost(y, Floats(5000, 1).data());
  EXPECT_EQ(ToHost<float>(context, Scale(context, y, 2)), Floats(5000, 2));
  EXPECT_TRUE(Elements(Empty(context, {0})).empty());
}

TEST(Devices, OnHostIsACopyOfWhatIsElsewhere) {
  testing::TestContext context;
  const Tensor x = FromHost<float>(context, {1, 2, 3}, {3});
  const Tensor host = OnHost(x);
  EXPECT_EQ(host.device(), Device{});
  EXPECT_EQ(host.data<float>()[2], 3);
  EXPECT_EQ(host.raw_data() == x.raw_data(), context.device() == Device{});
}

TEST(Devices, TensorsOutliveTheirContexts) {
  const Device device = testing::TestDevice();
  KeepOpen(device);
  auto context = std::make_unique<Context>(device);
  Tensor x = FromHost<float>(*context, Floats(70000, 1), {70000});
  for (int i = 0; i < 10; ++i) x = Scale(*context, x, 2);
  context.reset();
  Context another(device);
  EXPECT_EQ(ToHost<float>(another, Scale(another, x, 0.5f)), Floats(70000, 512));
  EXPECT_EQ(Elements(x), Floats(70000, 1024));
}

TEST(Devices, ManyThreadsAtOnce) {
  const Device device = testing::TestDevice();
  KeepOpen(device);
  std::vector<Floats> got(4);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < got.size(); ++t) {
    threads.emplace_back([&, t] {
      Context context(device);
      for (int i = 0; i < 50; ++i) {
        got[t] = Elements(Scale(context, FromHost<float>(context, Floats(2000, 1), {2000}), static_cast<float>(t)));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 0; t < got.size(); ++t) EXPECT_EQ(got[t], Floats(2000, static_cast<float>(t)));
}

TEST(Devices, WaitsAndTellsItsStream) {
  testing::TestContext context;
  EXPECT_EQ(ComputeStream(context.device()).device, context.device());
  EXPECT_EQ(ComputeStream(context.device()).handle, context.kernel().stream.handle);
  Synchronize(context.device());
}

}  // namespace
}  // namespace bitgate::api
