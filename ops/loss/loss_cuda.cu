#include <limits>

#include "ops/loss/loss_kernels.h"
#include "ops/loss/loss_math.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_reduce.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarp;
// A constant, not the GPU's number of processors: the order of summation is the same everywhere.
constexpr int64_t kMaxBlocks = 1024;
// From so many classes on a whole block works on one row, below a warp.
constexpr int64_t kWideRow = 4096;

// ---- within a kernel ----

struct Greater {
  __device__ float operator()(float a, float b) const { return Max(a, b); }
};

// A logit and where it is. NaN is never the greatest, as in std::max_element, which meets it behind the first.
struct Place {
  float value;
  long long index;  // beyond the row: none
};

__device__ Place FromLane(Place place, int lanes) {
  return {cuda::FromLane(place.value, lanes), cuda::FromLane(place.index, lanes)};
}

struct First {
  __device__ Place operator()(Place a, Place b) const {
    const bool second = b.value > a.value || (b.value == a.value && b.index < a.index);
    return second ? b : a;
  }
};

// Rows go round the groups of kRowWarps warps, in all blocks.
template <int kRowWarps>
struct Rows {
  static constexpr int kThreadsPerRow = kWarp * kRowWarps;
  static constexpr int kPerBlock = kThreads / kThreadsPerRow;
  __device__ static int64_t first() {
    return static_cast<int64_t>(blockIdx.x) * kPerBlock + threadIdx.x / kThreadsPerRow;
  }
  __device__ static int64_t step() { return static_cast<int64_t>(gridDim.x) * kPerBlock; }
  __device__ static int thread() { return threadIdx.x % kThreadsPerRow; }
};

// ---- kernels ----

template <int kRowWarps>
__global__ void __launch_bounds__(kThreads)
    SoftmaxCrossEntropyKernel(int64_t rows, int64_t classes, const float* logits, const int32_t* labels, float* loss,
                              float* grad_logits, double* partial) {
  using R = Rows<kRowWarps>;
  double own = 0;
  for (int64_t r = R::first(); r < rows; r += R::step()) {
    const float* row = logits + r * classes;
    float greatest = -INFINITY;
    for (int64_t c = R::thread(); c < classes; c += R::kThreadsPerRow) greatest = Max(greatest, row[c]);
    const double maximum = CombineWarps<kRowWarps>(greatest, Greater());
    double sum = 0;
    for (int64_t c = R::thread(); c < classes; c += R::kThreadsPerRow) sum += ShiftedExp(row[c], maximum);
    sum = CombineWarps<kRowWarps>(sum, Plus());
    const int32_t label = labels[r];
    const bool known = label >= 0 && label < classes;
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    if (grad_logits != nullptr) {
      const double scale = known ? 1.0 / rows : kNaN;
      for (int64_t c = R::thread(); c < classes; c += R::kThreadsPerRow) {
        grad_logits[r * classes + c] = CrossEntropyGradient(row[c], maximum, sum, c == label, scale);
      }
    }
    if (R::thread() == 0) own += known ? CrossEntropyLoss(row[label], maximum, sum) : kNaN;
  }
  double sum;
  const bool is_last = SumOverGrid<kWarps>(own, partial, &sum);
  if (is_last && threadIdx.x == 0) *loss = static_cast<float>(sum / rows);
}

template <int kRowWarps>
__global__ void __launch_bounds__(kThreads)
    CountCorrectKernel(int64_t rows, int64_t classes, const float* logits, const int32_t* labels, int32_t* count,
                       int32_t* partial) {
  using R = Rows<kRowWarps>;
  int32_t own = 0;
  for (int64_t r = R::first(); r < rows; r += R::step()) {
    const float* row = logits + r * classes;
    Place place{-INFINITY, classes};
    for (int64_t c = R::thread(); c < classes; c += R::kThreadsPerRow) place = First()(place, {row[c], c});
    place = CombineWarps<kRowWarps>(place, First());
    if (row[0] != row[0]) place.index = 0;  // nothing is greater than a NaN that comes first
    if (R::thread() == 0) own += place.index == labels[r];
  }
  int32_t sum;
  const bool is_last = SumOverGrid<kWarps>(own, partial, &sum);
  if (is_last && threadIdx.x == 0) *count = sum;
}

// ---- launchers ----

unsigned Blocks(int64_t rows, int64_t classes) {
  const int64_t per_block = classes < kWideRow ? kWarps : 1;
  const int64_t blocks = rows / per_block + (rows % per_block != 0);
  return static_cast<unsigned>(blocks < 1 ? 1 : blocks < kMaxBlocks ? blocks : kMaxBlocks);
}

}  // namespace

void SoftmaxCrossEntropy(KernelContext& context, View loss, View grad_logits, ConstView logits, ConstView labels) {
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  const unsigned blocks = Blocks(rows, classes);
  double* partial = static_cast<double*>(context.workspace.Get(sizeof(double) * blocks));
  Launch(context.stream, dim3(blocks), kThreads,
         classes < kWideRow ? SoftmaxCrossEntropyKernel<1> : SoftmaxCrossEntropyKernel<kWarps>, rows, classes,
         logits.As(), labels.As<int32_t>(), loss.As(), grad_logits.As(), partial);
}

void CountCorrect(KernelContext& context, View count, ConstView logits, ConstView labels) {
  const int64_t rows = logits.shape[0], classes = logits.shape[1];
  const unsigned blocks = Blocks(rows, classes);
  int32_t* partial = static_cast<int32_t*>(context.workspace.Get(sizeof(int32_t) * blocks));
  Launch(context.stream, dim3(blocks), kThreads,
         classes < kWideRow ? CountCorrectKernel<1> : CountCorrectKernel<kWarps>, rows, classes, logits.As(),
         labels.As<int32_t>(), count.As<int32_t>(), partial);
}

}  // namespace cuda
}  // namespace bitgate
