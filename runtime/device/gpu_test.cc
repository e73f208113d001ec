// What a GPU's backend promises. On BITGATE_TEST_DEVICE; skipped, visibly, where that is no GPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <numeric>
#include <vector>

#include "runtime/base/error.h"
#include "runtime/device/test_context.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

using ::testing::HasSubstr;

class Gpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (testing::TestDevice().type != DeviceType::kCuda) GTEST_SKIP() << "BITGATE_TEST_DEVICE is no GPU";
    context_ = std::make_unique<testing::TestContext>();
  }

  Backend& backend() { return context_->backend(); }

  std::unique_ptr<Context> context_;
};

std::string MessageOf(const std::function<void()>& body, absl::StatusCode code) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "nothing thrown";
}

TEST_F(Gpu, CopiesOfAnySizeGoThereAndBack) {
  for (const int64_t size : {1, 3, 255, 256, 257, 1000, 100003}) {  // floats: 1 KB and less go with a launch
    std::vector<float> values(size);
    std::iota(values.begin(), values.end(), 0.5f);
    Tensor tensor = FromHost(*context_, values, {size});
    std::fill(values.begin(), values.end(), -1.0f);  // the source may be reused at once
    tensor = Clone(*context_, tensor);
    const auto back = ToHost<float>(*context_, tensor);
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(back[i], 0.5f + static_cast<float>(i));
    EXPECT_EQ(ToHost<float>(*context_, Zeros(*context_, {size})), std::vector<float>(size, 0.0f));
  }
  EXPECT_TRUE(ToHost<float>(*context_, FromHost<float>(*context_, {}, {0})).empty());
}

TEST_F(Gpu, PinnedMemoryMayBeReusedAtOnceAfterCopyFromHost) {
  constexpr int64_t kSize = 5000;
  const Storage pinned(backend().host_pool(), kSize * sizeof(float));
  float* const source = static_cast<float*>(pinned.data());
  std::fill(source, source + kSize, 3.0f);
  const Tensor target = Empty(*context_, {kSize});
  backend().CopyFromHost(target.raw_data(), source, kSize * sizeof(float));
  std::fill(source, source + kSize, 4.0f);
  EXPECT_EQ(ToHost<float>(*context_, target), std::vector<float>(kSize, 3.0f));
}

TEST_F(Gpu, LanesWaitWhereMarkersSaySo) {
  constexpr int64_t kSize = 50000;
  constexpr size_t kBytes = kSize * sizeof(float);
  const Storage pinned(backend().host_pool(), 2 * kBytes);
  float* const up = static_cast<float*>(pinned.data());
  float* const down = up + kSize;
  const Tensor target = Zeros(*context_, {kSize}), sum = Zeros(*context_, {kSize});
  const auto uploaded = backend().MakeMarker(), used = backend().MakeMarker(), arrived = backend().MakeMarker();
  EXPECT_TRUE(used->Passed());   // never recorded
  used->Record(Lane::kCompute);  // behind the zeros
  for (int round = 1; round <= 3; ++round) {
    uploaded->Wait();  // `up` is free
    std::fill(up, up + kSize, static_cast<float>(round));
    used->HoldBack(Lane::kUpload);  // until the sum before has read `target`
    backend().Upload(target.raw_data(), up, kBytes);
    uploaded->Record(Lane::kUpload);
    uploaded->HoldBack(Lane::kCompute);
    Add(*context_, sum, sum, target);
    used->Record(Lane::kCompute);
  }
  backend().Download(down, sum.raw_data(), kBytes);
  arrived->Record(Lane::kCompute);
  arrived->Wait();
  EXPECT_TRUE(arrived->Passed());
  for (int64_t i = 0; i < kSize; ++i) ASSERT_EQ(down[i], 6.0f) << i;
}

TEST_F(Gpu, ContextsOfOneGpuWorkInOrder) {
  testing::TestContext other;
  const Tensor a = Zeros(*context_, {100000}), one = FromHost(other, std::vector<float>(100000, 1.0f), {100000});
  for (int i = 0; i < 10; ++i) Add(i % 2 == 0 ? *context_ : other, a, a, one);
  EXPECT_EQ(ToHost<float>(other, a), std::vector<float>(100000, 10.0f));
  EXPECT_EQ(context_->pool(), other.pool());
}

TEST_F(Gpu, CapturedWorkIsDoneWhenItIsReplayed) {
  const Tensor sum = FromHost<float>(*context_, {0, 0}, {2}), step = FromHost<float>(*context_, {1, 2}, {2});
  const auto work = backend().Capture([&] {
    backend().CopyFromHost(step.raw_data(), std::vector<float>{3, 4}.data(), 8);  // small: goes with the launch
    Add(*context_, sum, sum, step);
  });
  EXPECT_EQ(ToHost<float>(*context_, sum), (std::vector<float>{0, 0}));
  EXPECT_EQ(ToHost<float>(*context_, step), (std::vector<float>{1, 2}));
  work->Replay();
  work->Replay();
  EXPECT_EQ(ToHost<float>(*context_, sum), (std::vector<float>{6, 8}));
  EXPECT_EQ(ToHost<float>(*context_, step), (std::vector<float>{3, 4}));
}

TEST_F(Gpu, WhatCannotBeCapturedIsRefusedAndLeavesNothingBehind) {
  const Tensor value = FromHost<float>(*context_, {1, 2}, {2});
  const std::vector<float> large(1000);
  const Storage pinned(backend().host_pool(), 64);
  using Body = std::function<void()>;
  const std::vector<std::pair<const char*, Body>> bodies = {
      {"a copy to the host", [&] { ToHost<float>(*context_, value); }},
      {"waiting", [&] { backend().Synchronize(); }},
      {"a copy from the host",
       [&] {
         const Tensor kept = Empty(*context_, {1000});
         backend().CopyFromHost(kept.raw_data(), large.data(), 4000);
       }},
      {"an upload", [&] { backend().Upload(value.raw_data(), pinned.data(), 8); }},
      {"a download", [&] { backend().Download(pinned.data(), value.raw_data(), 8); }},
      {"bytes of memory", [&] { Empty(*context_, {int64_t{77} << 20}); }},
      {"another capture", [&] { backend().Capture([] {}); }},
  };
  { const Tensor warm = Empty(*context_, {1000}); }
  for (const auto& [what, body] : bodies) {
    EXPECT_THAT(MessageOf(
                    [&, &body = body] {
                      backend().Capture([&] {
                        Add(*context_, value, value, value);
                        body();
                      });
                    },
                    absl::StatusCode::kFailedPrecondition),
                HasSubstr(what));
    EXPECT_EQ(ToHost<float>(*context_, value), (std::vector<float>{1, 2})) << what;
  }
  EXPECT_THROW(backend().Capture([] { throw InvalidArgument("its own"); }), Error);
  backend().Capture([&] { Add(*context_, value, value, value); })->Replay();
  EXPECT_EQ(ToHost<float>(*context_, value), (std::vector<float>{2, 4}));
}

TEST_F(Gpu, MemoryOfCapturedWorkIsItsOwn) {
  Memory memory(backend().MakeCapturePool());
  const void* own;
  {
    const UseMemory use(*context_, memory);
    const Tensor tensor = Empty(*context_, {1000});
    own = tensor.raw_data();
    context_->kernel().workspace.Get(100);
  }
  EXPECT_EQ(memory.pool->statistics().in_use_bytes, 128);  // the scratch memory
  for (int i = 0; i < 10; ++i) EXPECT_NE(Empty(*context_, {1000}).raw_data(), own);
  const UseMemory use(*context_, memory);
  EXPECT_EQ(Empty(*context_, {1000}).raw_data(), own);
}

TEST_F(Gpu, OutOfMemorySaysWhatThereIs) {
  const std::string message =
      MessageOf([&] { Empty(*context_, {int64_t{1} << 45}); }, absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(message, HasSubstr("out of memory on " + ToString(testing::TestDevice()) +
                                 ": asked for 140737488355328 bytes with "));
  EXPECT_THAT(message, HasSubstr(" pooled, "));
  EXPECT_THAT(message, HasSubstr(" free on the device"));
  EXPECT_EQ(ToHost<float>(*context_, FromHost<float>(*context_, {5}, {1}))[0], 5.0f);
}

TEST_F(Gpu, AnIndexThatIsNotThere) {
  EXPECT_THAT(MessageOf([] { Context context(ParseDevice("cuda:99")); }, absl::StatusCode::kUnimplemented),
              HasSubstr("expected a GPU index below"));
}

#if defined(BG_CUDA_EMULATED)

class EmulatedGpu : public Gpu {
 protected:
  void SetUp() override {
    if (testing::TestDevice().type != DeviceType::kCuda) GTEST_SKIP() << "BITGATE_TEST_DEVICE is no GPU";
  }
  std::string FailureWith(const char* setting, const char* value) {
    setenv(setting, value, 1);
    const std::string message = MessageOf([] { testing::TestContext context; }, absl::StatusCode::kUnimplemented);
    unsetenv(setting);
    return message;
  }
};

TEST_F(EmulatedGpu, MachinesThatCannot) {
  const std::string device = ToString(testing::TestDevice());
  EXPECT_THAT(FailureWith("BITGATE_EMULATED_GPUS", "0"), HasSubstr(device + " expected a GPU and its driver, got: "));
  EXPECT_THAT(FailureWith("BITGATE_EMULATED_DRIVER", "12040"),
              HasSubstr(device + " expected a driver for CUDA 13.0 or newer, got one for 12.4"));
  EXPECT_THAT(FailureWith("BITGATE_EMULATED_NO_KERNEL_IMAGE", "1"),
              HasSubstr("expected a GPU of an architecture that this build has kernels for"));
  testing::TestContext context;
  EXPECT_EQ(ToHost<float>(context, FromHost<float>(context, {5}, {1}))[0], 5.0f);
}

#endif

}  // namespace
}  // namespace bitgate
