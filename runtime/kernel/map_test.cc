#include <gtest/gtest.h>

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

TEST(Add, RejectsUnequalSizes) {
  Context context;
  const Tensor a = Zeros(context, {3}), b = Zeros(context, {4});
  EXPECT_THROW(Add(context, a, a, b), Error);
}

}  // namespace
}  // namespace bitgate
