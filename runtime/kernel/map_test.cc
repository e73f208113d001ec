#include <gtest/gtest.h>

#include <cstdlib>

#include "runtime/base/error.h"
#include "runtime/base/thread_pool.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/kernel/accumulate_kernels.h"
#include "runtime/kernel/dispatch.h"
#include "runtime/tensor/copy.h"

namespace bitgate {
namespace {

// Around the vector width, the block size, and many blocks.
const int64_t kSizes[] = {0, 1, 15, 16, 17, 31, 33, 8191, 8192, 8193, 100003};

void ExpectExactSums(decltype(cpu::scalar::Add)* kernel) {
  Context context;
  for (int64_t size : kSizes) {
    std::vector<float> a(size), b(size), guarded(size + 2, -7.0f);
    for (int64_t i = 0; i < size; ++i) a[i] = 0.1f * i, b[i] = 1.0f / (i + 1);
    const Shape shape{size};
    kernel(context.kernel(), {guarded.data() + 1, shape}, {a.data(), shape}, {b.data(), shape}, size);
    EXPECT_EQ(guarded.front(), -7.0f);
    EXPECT_EQ(guarded.back(), -7.0f);
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(guarded[i + 1], a[i] + b[i]) << i << " of " << size;
  }
}

TEST(Map, Scalar) { ExpectExactSums(cpu::scalar::Add); }
TEST(Map, Avx2) {
  if (!IsaSupported(Isa::kAvx2)) GTEST_SKIP() << "this processor has no AVX2";
  ExpectExactSums(cpu::avx2::Add);
}
TEST(Map, Avx512) {
  if (!IsaSupported(Isa::kAvx512)) GTEST_SKIP() << "this processor has no AVX-512";
  ExpectExactSums(cpu::avx512::Add);
}

Device TestDevice() {
  const char* const name = std::getenv("BITGATE_TEST_DEVICE");
  return name == nullptr ? Device{} : ParseDevice(name);
}

// Aligned and not, into other memory and in place, with guards on both sides.
TEST(Add, IsExactOnTheDevice) {
  Context context(TestDevice());
  for (const int64_t size : {0, 1, 2, 3, 4, 5, 1023, 1024, 1025, 4095, 4097, 8193, 70001}) {
    for (const int64_t offset : {1, 4}) {
      std::vector<float> a(size + offset + 1), b(size + offset + 1);
      for (size_t i = 0; i < a.size(); ++i) a[i] = 0.1f * i, b[i] = 1.0f / (i + 1);
      const auto view = [&](const Tensor& whole) { return SliceView(whole, 0, offset, offset + size); };
      const Tensor x = FromHost(context, a, {size + offset + 1}), z = FromHost(context, b, {size + offset + 1});
      const Tensor y = Zeros(context, {size + offset + 1});
      Add(context, view(y), view(x), view(z));
      Add(context, view(z), view(x), view(z));
      std::vector<float> expected(a.size()), in_place = b;
      for (int64_t i = offset; i < offset + size; ++i) expected[i] = in_place[i] = a[i] + b[i];
      ASSERT_EQ(ToHost<float>(context, y), expected) << size << " from " << offset;
      ASSERT_EQ(ToHost<float>(context, z), in_place) << size << " from " << offset;
    }
  }
}

TEST(Add, RejectsUnequalSizes) {
  Context context(TestDevice());
  const Tensor a = Zeros(context, {3}), b = Zeros(context, {4});
  EXPECT_THROW(Add(context, a, a, b), Error);
}

}  // namespace
}  // namespace bitgate
