#include "ops/optim/optim_kernels.h"
#include "runtime/kernel/cuda_launch.h"
#include "runtime/kernel/cuda_pack.h"

namespace bitgate {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kPerThread = 4;  // elements: one 16-byte access an array
constexpr int64_t kPerBlock = kThreads * kPerThread;
// A launch takes its table along by value, of which there may be 4 KB.
constexpr int kUpdatesPerLaunch = 36;
constexpr int64_t kMaxBlocks = (int64_t{1} << 31) - 1;

struct UpdateTable {
  RowUpdate updates[kUpdatesPerLaunch];
  unsigned first_block[kUpdatesPerLaunch + 1];
  int count;
};
static_assert(sizeof(UpdateTable) + 64 <= 4096, "the arguments of a launch");

struct Identity {
  __device__ float operator()(float value) const { return value; }
};

// ---- kernels ----

__device__ RowCoefficients<float> MakeRow(const RowUpdate& update, int64_t row) {
  const float weight_decay = update.scalars[kWeightDecay];
  const float gain = update.gain == nullptr ? 1.0f : update.gain[row];
  const float decay = update.decay == nullptr ? weight_decay : update.decay[row] + weight_decay;
  return {gain, decay, update.low, update.high};
}

template <UpdateKind kKind>
__device__ void UpdateOne(const RowUpdate& update, const ElementUpdate<kKind, float>& element,
                          const RowCoefficients<float>& row, int64_t i, int64_t in_row) {
  const float gradient = update.gradient == nullptr ? 0.0f : update.gradient[in_row];
  float p = update.parameter[i], m = 0.0f, v = 0.0f;
  if (UsesFirstMoment(kKind)) m = update.first_moment[i];
  if (UsesSecondMoment(kKind)) v = update.second_moment[i];
  element(RowGradient(gradient, p, row), p, m, v, row);
  update.parameter[i] = p;
  if (UsesFirstMoment(kKind)) update.first_moment[i] = m;
  if (UsesSecondMoment(kKind)) update.second_moment[i] = v;
}

// Four elements of one row, all arrays aligned.
template <UpdateKind kKind>
__device__ void UpdateFour(const RowUpdate& update, const ElementUpdate<kKind, float>& element,
                           const RowCoefficients<float>& row, int64_t i, int64_t in_row) {
  const auto load = [](const float* x) { return *reinterpret_cast<const float4*>(x); };
  const auto store = [](const float4& value, float* x) { *reinterpret_cast<float4*>(x) = value; };
  const float4 zero = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
  const float4 gradient = update.gradient == nullptr ? zero : load(update.gradient + in_row);
  float4 p = load(update.parameter + i), m = zero, v = zero;
  if (UsesFirstMoment(kKind)) m = load(update.first_moment + i);
  if (UsesSecondMoment(kKind)) v = load(update.second_moment + i);
  element(RowGradient(gradient.x, p.x, row), p.x, m.x, v.x, row);
  element(RowGradient(gradient.y, p.y, row), p.y, m.y, v.y, row);
  element(RowGradient(gradient.z, p.z, row), p.z, m.z, v.z, row);
  element(RowGradient(gradient.w, p.w, row), p.w, m.w, v.w, row);
  store(p, update.parameter + i);
  if (UsesFirstMoment(kKind)) store(m, update.first_moment + i);
  if (UsesSecondMoment(kKind)) store(v, update.second_moment + i);
}

template <UpdateKind kKind>
__device__ void UpdateBlock(const RowUpdate& update, int64_t block) {
  const auto element = ElementUpdate<kKind, float>::Make(update.scalars, Identity());
  const int64_t size = update.rows * update.elements;
  const int64_t begin = block * kPerBlock + static_cast<int64_t>(threadIdx.x) * kPerThread;
  const int64_t end = begin + kPerThread < size ? begin + kPerThread : size;
  if (begin >= end) return;
  const int64_t row = begin / update.elements;
  const bool whole = end - begin == kPerThread && end <= (row + 1) * update.elements;
  const int64_t in_row = begin - row * update.elements;
  const float* gradient = update.gradient == nullptr ? nullptr : update.gradient + in_row;
  const auto aligned = [](const float* array) { return IsAligned(array, sizeof(float4)); };
  if (whole && aligned(update.parameter) && aligned(update.first_moment) && aligned(update.second_moment) &&
      aligned(gradient)) {
    UpdateFour<kKind>(update, element, MakeRow(update, row), begin, in_row);
    return;
  }
  for (int64_t i = begin; i < end; ++i) {
    const int64_t own_row = i / update.elements;
    UpdateOne<kKind>(update, element, MakeRow(update, own_row), i, i - own_row * update.elements);
  }
}

__global__ void OptimizerStepKernel(const UpdateTable table, const int32_t* proceed) {
  if (proceed != nullptr && *proceed == 0) return;
  int u = 0;
  while (blockIdx.x >= table.first_block[u + 1]) ++u;
  const RowUpdate& update = table.updates[u];
  const int64_t block = blockIdx.x - table.first_block[u];
  switch (update.kind) {
    case UpdateKind::kAdam:
      return UpdateBlock<UpdateKind::kAdam>(update, block);
    case UpdateKind::kSgd:
      return UpdateBlock<UpdateKind::kSgd>(update, block);
    case UpdateKind::kMomentum:
      return UpdateBlock<UpdateKind::kMomentum>(update, block);
    case UpdateKind::kNesterov:
      return UpdateBlock<UpdateKind::kNesterov>(update, block);
  }
}

// ---- launchers ----

int64_t Blocks(const RowUpdate& update) { return (update.rows * update.elements + kPerBlock - 1) / kPerBlock; }

}  // namespace

void OptimizerStep(KernelContext& context, const RowUpdate* updates, int64_t count, ConstView proceed) {
  for (int64_t begin = 0; begin < count;) {
    UpdateTable table = {};
    int64_t blocks = 0;
    while (begin < count && table.count < kUpdatesPerLaunch) {
      const int64_t more = Blocks(updates[begin]);
      if (more > kMaxBlocks) throw Internal("optimizer step: a parameter of ", more, " blocks is more than a grid has");
      if (blocks + more > kMaxBlocks) break;
      table.updates[table.count] = updates[begin++];
      blocks += more;
      table.first_block[++table.count] = static_cast<unsigned>(blocks);
    }
    Launch(context.stream, dim3(static_cast<unsigned>(blocks)), kThreads, OptimizerStepKernel, table,
           proceed.As<int32_t>());
  }
}

}  // namespace cuda
}  // namespace bitgate
