#include <gtest/gtest.h>

#include "runtime/base/error.h"
#include "runtime/device/context.h"
#include "runtime/device/library_versions.h"

namespace bitgate {
namespace {

TEST(Device, NamesItsLibraries) {
  const std::string version = LibraryVersions().at("oneDNN");
  EXPECT_NE(version.find('.'), std::string::npos) << version;
}

TEST(Device, ParsesWhatItPrints) {
  for (const char* text : {"cpu", "cuda:0", "cuda:12"}) EXPECT_EQ(ToString(ParseDevice(text)), text);
  EXPECT_EQ(ToString(ParseDevice("cuda")), "cuda:0");
}

TEST(Device, RejectsOtherNamesWithBothForms) {
  for (const char* text : {"", "gpu", "cuda:", "cuda:x", "cuda:12345", "cpu:0", "cuda 0"}) {
    try {
      ParseDevice(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find("cuda:<index>"), std::string::npos) << error.what();
    }
  }
}

#if !defined(BG_CUDA)
TEST(Device, CudaInCpuBuildIsAClearError) {
  try {
    Context context(ParseDevice("cuda:0"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kUnimplemented);
    EXPECT_NE(std::string(error.what()).find("CPU-only build"), std::string::npos) << error.what();
  }
}
#endif

TEST(Pool, SizeClassesWasteAtMostAQuarter) {
  for (size_t bytes = 0; bytes < 100000; bytes += 7) {
    const size_t size = Pool::SizeClass(bytes);
    EXPECT_GE(size, bytes);
    EXPECT_EQ(size % 64, 0u);
    EXPECT_EQ(Pool::SizeClass(size), size);
    EXPECT_LE(size, bytes + bytes / 4 + 64);
  }
}

TEST(Pool, ReusesWhatIsGivenBack) {
  Pool pool(HostMemory());
  void* first = pool.Allocate(1000);
  pool.Free(first, 1000);
  void* second = pool.Allocate(990);
  EXPECT_EQ(first, second);
  EXPECT_EQ(pool.statistics().system_allocations, 1);
  EXPECT_EQ(pool.statistics().in_use_bytes, static_cast<int64_t>(Pool::SizeClass(990)));
  pool.Free(second, 990);
  EXPECT_EQ(pool.statistics().in_use_bytes, 0);
  pool.Trim();
  EXPECT_EQ(pool.statistics().system_bytes, 0);
}

class TinyMemory : public MemorySource {
 public:
  Device device() const override { return {}; }
  void* Acquire(size_t bytes) override { return bytes > 4096 ? nullptr : ::operator new(bytes); }
  void Release(void* block) noexcept override { ::operator delete(block); }
};

TEST(Pool, OutOfMemorySaysWhatWasAskedAndInUse) {
  Pool pool(std::make_unique<TinyMemory>());
  void* held = pool.Allocate(128);
  try {
    pool.Allocate(8192);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_NE(std::string(error.what()).find("asked for 8192 bytes with 128 in use and 0 pooled"), std::string::npos)
        << error.what();
  }
  pool.Free(held, 128);
}

TEST(PlanCache, MakesEachPlanOnce) {
  PlanCache cache;
  int made = 0;
  const auto make = [&] { return std::make_shared<int>(++made); };
  EXPECT_EQ(*cache.Get<int>(PlanKey("conv", {1, 2}), make), 1);
  EXPECT_EQ(*cache.Get<int>(PlanKey("conv", {1, 2}), make), 1);
  EXPECT_EQ(*cache.Get<int>(PlanKey("conv", {1, 3}), make), 2);
  EXPECT_EQ(*cache.Get<int>(PlanKey("pool", {1, 2}), make), 3);
  for (int i = 0; i < 3000; ++i) cache.Get<int>(PlanKey("many", {i}), make);
  EXPECT_LE(cache.size(), PlanCache::kMaxPlans);
}

}  // namespace
}  // namespace bitgate
