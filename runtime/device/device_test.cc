#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <vector>

#include "runtime/base/cpu.h"
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

void ExpectRefused(Compute compute, const std::string& part) {
  Context context;
  try {
    context.set_compute(compute);
    ADD_FAILURE() << ToString(compute);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kUnimplemented);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
  EXPECT_EQ(context.compute(), Compute::kFloat32);
}

TEST(Compute, TheCpuHasNoTf32) {
  ExpectRefused(Compute::kTf32, "compute: expected float32 or bfloat16 on the cpu, got tf32");
}

TEST(Compute, Bfloat16OnTheCpuNeedsItsUnits) {
  if (HasBfloat16Units()) {
    Context context({}, Compute::kBfloat16);
    EXPECT_EQ(context.compute(), Compute::kBfloat16);
    context.set_compute(Compute::kFloat32);
    EXPECT_EQ(context.compute(), Compute::kFloat32);
  } else {
    ExpectRefused(Compute::kBfloat16, "expected AVX-512 BF16 or AMX for bfloat16 on the cpu, got a processor without");
  }
}

// In a process of its own: oneDNN reads the variable once.
TEST(ComputeDeathTest, OneDnnMayBeToldToUseLess) {
  if (!HasBfloat16Units()) GTEST_SKIP() << "needs a processor with AVX-512 BF16";
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE", 1);
        ExpectRefused(Compute::kBfloat16, "got them forbidden by ONEDNN_MAX_CPU_ISA");
        std::exit(testing::Test::HasFailure() ? 1 : 0);
      },
      testing::ExitedWithCode(0), "");
}

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

// Memory of so many bytes for all that have it.
class SharedMemory : public MemorySource {
 public:
  SharedMemory(int64_t* left, std::vector<size_t>* sizes) : left_(left), sizes_(sizes) {}
  Device device() const override { return {}; }
  void* Acquire(size_t bytes) override {
    if (static_cast<int64_t>(bytes) > *left_) return nullptr;
    *left_ -= static_cast<int64_t>(bytes);
    char* block = new char[bytes + sizeof(size_t)];
    std::memcpy(block, &bytes, sizeof(size_t));
    return block + sizeof(size_t);
  }
  void Release(void* block) noexcept override {
    size_t bytes;
    char* begin = static_cast<char*>(block) - sizeof(size_t);
    std::memcpy(&bytes, begin, sizeof(size_t));
    *left_ += static_cast<int64_t>(bytes);
    sizes_->push_back(bytes);
    delete[] begin;
  }
  int64_t FreeBytes() noexcept override { return *left_; }

 private:
  int64_t* left_;
  std::vector<size_t>* sizes_;
};

TEST(PoolFamily, GivesBackWhatLiesIdleInAnyOfItsPoolsButNotWhatIsToStay) {
  int64_t left = 4096;
  std::vector<size_t> released;
  const auto memory = [&] { return std::make_unique<SharedMemory>(&left, &released); };
  const auto family = std::make_shared<PoolFamily>();
  Pool first(memory(), family), second(memory(), family);
  auto captured = std::make_unique<Pool>(memory(), family, Idle::kStays);
  first.Free(first.Allocate(1024), 1024);
  captured->Free(captured->Allocate(2048), 2048);
  void* block = second.Allocate(2048);  // there are 1024 left, and 1024 idle in the first
  EXPECT_EQ(released, std::vector<size_t>{1024});
  EXPECT_EQ(left, 0);
  try {
    first.Allocate(64);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_NE(
        std::string(error.what()).find("asked for 64 bytes with 2048 in use and 2048 pooled, 0 free on the device"),
        std::string::npos)
        << error.what();
  }
  captured->Free(captured->Allocate(2048), 2048);  // it is still there
  EXPECT_EQ(family->statistics().system_bytes, 4096);
  captured.reset();
  EXPECT_EQ(left, 2048);
  second.Free(block, 2048);
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
