// Kernels: barriers, shuffles, atomics, order of blocks, what goes wrong.
#include <set>

#include "tools/cuda_emulator/test_util.h"

namespace cuda_emulator {
namespace {

using KernelTest = EmulatorTest;

template <int kThreads>
__global__ void __launch_bounds__(kThreads) SumBySharedMemory(const float* __restrict__ x, float* y) {
  __shared__ float shared[kThreads];
  shared[threadIdx.x] = x[blockIdx.x * kThreads + threadIdx.x];
  __syncthreads();
  for (int half = kThreads / 2; half > 0; half /= 2) {
    if (static_cast<int>(threadIdx.x) < half) shared[threadIdx.x] += shared[threadIdx.x + half];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = shared[0];
}

TEST_F(KernelTest, SumsBySharedMemory) {
  constexpr int kThreads = 256, kBlocks = 7;
  std::vector<float> values(kThreads * kBlocks);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i % 13);
  Array<float> x(values), y(kBlocks);
  CHECK_CUDA(Launch(stream_, kBlocks, kThreads, SumBySharedMemory<kThreads>, x.data(), y.data()));
  const std::vector<float> sums = y.Values();
  for (int block = 0; block < kBlocks; ++block) {
    float sum = 0;
    for (int i = 0; i < kThreads; ++i) sum += values[block * kThreads + i];
    EXPECT_EQ(sums[block], sum);
  }
}

__global__ void SumByShuffles(const int* x, int* y) {
  __shared__ int warps[32];
  int sum = x[threadIdx.x];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x >= 32) return;
  sum = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0;
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
  y[threadIdx.x] = sum;
}

TEST_F(KernelTest, SumsByShuffles) {
  std::vector<int> values(512);
  int sum = 0;
  for (size_t i = 0; i < values.size(); ++i) sum += values[i] = static_cast<int>(i * i % 97);
  Array<int> x(values), y(32);
  CHECK_CUDA(Launch(stream_, 1, 512, SumByShuffles, x.data(), y.data()));
  EXPECT_EQ(y.Values(), std::vector<int>(32, sum));
}

__global__ void EveryExchange(long long* y) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  long long* out = y + threadIdx.x * 8;
  out[0] = __shfl_sync(0xffffffffu, lane * 10LL, lane + 1);
  out[1] = __shfl_up_sync(0xffffffffu, lane, 3);
  out[2] = __shfl_down_sync(0xffffffffu, lane, 3);
  out[3] = __shfl_xor_sync(0xffffffffu, lane, 5);
  out[4] = __ballot_sync(0xffffffffu, lane % 3 == 0);
  out[5] = __any_sync(0xffffffffu, lane == 31) * 2 + __all_sync(0xffffffffu, lane < 31);
  out[6] = static_cast<long long>(__shfl_sync(0xffffffffu, lane + 0.5, 2, 8));
  __syncwarp();
  out[7] = __shfl_down_sync(0xffffffffu, lane, 1, 4);
}

TEST_F(KernelTest, ExchangesValuesAsTheDeviceDoes) {
  Array<long long> y(64 * 8);
  CHECK_CUDA(Launch(stream_, 1, 64, EveryExchange, y.data()));
  const std::vector<long long> values = y.Values();
  long long thirds = 0;
  for (int lane = 0; lane < 32; lane += 3) thirds |= 1LL << lane;
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32;
    const long long* out = values.data() + i * 8;
    EXPECT_EQ(out[0], (lane + 1) % 32 * 10);
    EXPECT_EQ(out[1], lane < 3 ? lane : lane - 3);
    EXPECT_EQ(out[2], lane > 28 ? lane : lane + 3);
    EXPECT_EQ(out[3], lane ^ 5);
    EXPECT_EQ(out[4], thirds);
    EXPECT_EQ(out[5], 2);
    EXPECT_EQ(out[6], lane / 8 * 8 + 2);
    EXPECT_EQ(out[7], lane % 4 == 3 ? lane : lane + 1);
  }
}

// The block that counts itself last adds up what the others have left.
__global__ void SumInLastBlock(const float* x, float* partial, unsigned* arrived, float* y) {
  __shared__ bool last;
  if (threadIdx.x == 0) {
    partial[blockIdx.x] = x[blockIdx.x];
    __threadfence();
    last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last || threadIdx.x != 0) return;
  float sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += __ldcg(partial + i);
  *y = sum;
}

TEST_F(KernelTest, LastBlockSeesAllOthers) {
  std::vector<float> values(300, 1.0f);
  Array<float> x(values), partial(300), y(1);
  Array<unsigned> arrived(std::vector<unsigned>{0});
  for (int round = 0; round < 3; ++round) {
    CHECK_CUDA(Launch(stream_, 300, 64, SumInLastBlock, x.data(), partial.data(), arrived.data(), y.data()));
    EXPECT_EQ(y.Values()[0], 300.0f);
    EXPECT_EQ(arrived.Values()[0], 0u);
  }
}

__global__ void EveryAtomic(int* i, unsigned long long* u, double* d, float* f) {
  atomicAdd(i, 2);
  atomicMax(i + 1, static_cast<int>(threadIdx.x));
  atomicMin(i + 2, -static_cast<int>(threadIdx.x));
  if (atomicCAS(i + 3, 0, 5) == 0) atomicExch(f + 1, 7.0f);
  atomicAdd(u, 1ULL << 40);
  atomicAdd(d, 0.5);
  atomicAdd(f, 0.25f);
}

TEST_F(KernelTest, Atomics) {
  Array<int> i(std::vector<int>(4, 0));
  Array<unsigned long long> u(std::vector<unsigned long long>(1, 0));
  Array<double> d(std::vector<double>(1, 0));
  Array<float> f(std::vector<float>(2, 0));
  CHECK_CUDA(Launch(stream_, 2, 32, EveryAtomic, i.data(), u.data(), d.data(), f.data()));
  EXPECT_EQ(i.Values(), (std::vector<int>{128, 31, -31, 5}));
  EXPECT_EQ(u.Values()[0], 64ULL << 40);
  EXPECT_EQ(d.Values()[0], 32.0);
  EXPECT_EQ(f.Values(), (std::vector<float>{16.0f, 7.0f}));
}

__global__ void TakeTurns(unsigned* counter, unsigned* turn) { turn[blockIdx.x] = atomicAdd(counter, 1u); }

TEST_F(KernelTest, BlocksRunInAnOrderThatChanges) {
  std::set<std::vector<unsigned>> orders;
  for (int launch = 0; launch < 4; ++launch) {
    Array<unsigned> counter(std::vector<unsigned>{0}), turn(64);
    CHECK_CUDA(Launch(stream_, 64, 1, TakeTurns, counter.data(), turn.data()));
    orders.insert(turn.Values());
    EXPECT_EQ(counter.Values()[0], 64u);
  }
  EXPECT_EQ(orders.size(), 4u);
}

__global__ void Where(unsigned* y) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  __syncthreads();  // the variables must be right behind it too
  y[block * blockDim.x * blockDim.y * blockDim.z + thread] =
      threadIdx.x + 10 * threadIdx.y + 100 * threadIdx.z + 1000 * blockIdx.x + 10000 * blockIdx.y + 100000 * blockIdx.z;
}

TEST_F(KernelTest, ThreeDimensions) {
  Array<unsigned> y(2 * 3 * 4 * 24);
  CHECK_CUDA(Launch(stream_, dim3(2, 3, 4), dim3(4, 3, 2), Where, y.data()));
  const std::vector<unsigned> values = y.Values();
  EXPECT_EQ(values[0], 0u);
  EXPECT_EQ(values[23], 123u);
  EXPECT_EQ(values.back(), 321123u);
}

struct Pair {
  float* y;
  int index;
};
__global__ void SetTo(Pair target, double value) { target.y[target.index] = static_cast<float>(value); }

TEST_F(KernelTest, ArgumentsAreOfTheTimeOfTheLaunch) {
  Array<float> y(2);
  Pair pair{y.data(), 0};
  int value = 3;  // converted to the parameter's type
  CHECK_CUDA(Launch(stream_, 1, 1, SetTo, pair, value));
  pair.index = 1;
  value = 4;
  CHECK_CUDA(Launch(stream_, 1, 1, SetTo, pair, value));
  EXPECT_EQ(y.Values(), (std::vector<float>{3, 4}));
}

__global__ void DivergentBarrier() {
  if (threadIdx.x % 32 < 16) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}
__global__ void MixedShuffles() {
  int lane = static_cast<int>(threadIdx.x);
  if (lane < 16) {
    __shfl_xor_sync(0xffffffffu, lane, 1);
  } else {
    __shfl_down_sync(0xffffffffu, lane, 1);
  }
}
__global__ void Trap() { __trap(); }
__global__ void Nothing() {}

TEST_F(KernelTest, BarriersThatNotAllReachFailTheLaunch) {
  for (void (*kernel)() : {DivergentBarrier, MixedShuffles, Trap}) {
    CHECK_CUDA(Launch(stream_, 2, 64, kernel));
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaErrorLaunchFailure);
    EXPECT_EQ(Launch(stream_, 1, 64, Nothing), cudaErrorLaunchFailure) << "it sticks";
    EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
    EXPECT_EQ(cudaGetLastError(), cudaErrorLaunchFailure);
    SetUp();
    CHECK_CUDA(Launch(stream_, 1, 64, Nothing));
    CHECK_CUDA(cudaStreamSynchronize(stream_));
  }
}

__global__ void ReturnEarly(int* y) {
  if (threadIdx.x >= 40) return;
  __syncthreads();
  y[threadIdx.x] = __shfl_down_sync(0xffffffffu, 1, 1);
}

TEST_F(KernelTest, ThreadsThatReturnedAreNotWaitedForButGiveGarbage) {
  Array<int> y(40);
  CHECK_CUDA(Launch(stream_, 1, 64, ReturnEarly, y.data()));
  const std::vector<int> values = y.Values();
  EXPECT_EQ(values[38], 1);
  EXPECT_EQ(values[39], -1);
}

TEST_F(KernelTest, RefusesBadLaunches) {
  EXPECT_EQ(Launch(stream_, 1, 1025, Nothing), cudaErrorInvalidConfiguration);
  EXPECT_EQ(Launch(stream_, 0, 32, Nothing), cudaErrorInvalidConfiguration);
  EXPECT_EQ(Launch(stream_, dim3(1, 65536), 32, Nothing), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(Launch(reinterpret_cast<cudaStream_t>(0x1234), 1, 32, Nothing), cudaErrorInvalidResourceHandle);
  int on_host = 0;
  EXPECT_EQ(Launch(stream_, 1, 1, ReturnEarly, &on_host), cudaErrorIllegalAddress);
}

__global__ void Write(float* y, int index) { y[index] = 1; }

TEST_F(KernelTest, CrashesOutsideOfItsMemory) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Array<float> y(64);
  const auto run = [&](int index) {
    EXPECT_EQ(Launch(stream_, 1, 1, Write, y.data(), index), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  };
  run(63);
  EXPECT_DEATH(run(64), "block \\(0, 0, 0\\), thread \\(0, 0, 0\\): access to .*, device memory");
  EXPECT_DEATH(y.data()[0] = 1, "the host: access to .*, device memory");
  const float* freed = nullptr;
  {
    Array<float> other(64);
    freed = other.data();
  }
  EXPECT_DEATH(Launch(stream_, 1, 1, Write, const_cast<float*>(freed), 0); cudaDeviceSynchronize(), "device memory");
}

TEST_F(KernelTest, FunctionAttributes) {
  cudaFuncAttributes attributes = {};
  CHECK_CUDA(cudaFuncGetAttributes(&attributes, Nothing));
  EXPECT_EQ(attributes.maxThreadsPerBlock, 1024);
  int blocks = 0;
  CHECK_CUDA(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, Nothing, 256, 0));
  EXPECT_EQ(blocks, 8);
  setenv("BITGATE_EMULATED_NO_KERNEL_IMAGE", "1", 1);
  EXPECT_EQ(cudaFuncGetAttributes(&attributes, Nothing), cudaErrorNoKernelImageForDevice);
  EXPECT_EQ(Launch(stream_, 1, 1, Nothing), cudaErrorNoKernelImageForDevice);
  unsetenv("BITGATE_EMULATED_NO_KERNEL_IMAGE");
}

}  // namespace
}  // namespace cuda_emulator
