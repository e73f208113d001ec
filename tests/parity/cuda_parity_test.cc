// CPU against CUDA: bit-equal where an op is exact, within the op's tolerance where it sums.
#include <cmath>

#include "ops/quant/bayesian_bits/bayesian_bits.h"
#include "runtime/autograd/tape.h"
#include "runtime/base/error.h"
#include "runtime/base/rng.h"
#include "runtime/device/context.h"
#include "runtime/kernel/accumulate.h"
#include "runtime/tensor/copy.h"
#include "tests/parity/gpu_test.h"

namespace bitgate {
namespace {

class CudaParity : public GpuTest {};

std::vector<float> Values(int64_t size, uint32_t stream) {
  std::vector<float> values(size);
  for (int64_t i = 0; i < size; ++i) values[i] = 6 * Uniform({3, stream, 0}, i) - 3;
  return values;
}

TEST_F(CudaParity, Add) {
  for (int64_t size : {0, 1, 255, 257, 100003}) {
    std::vector<float> sums[2];
    for (Context* context : {&cpu_, gpu_.get()}) {
      const Tensor a = FromHost(*context, Values(size, 1), {size}), b = FromHost(*context, Values(size, 2), {size});
      const Tensor y = Empty(*context, {size});
      Add(*context, y, a, b);
      sums[context == &cpu_ ? 0 : 1] = ToHost<float>(*context, y);
    }
    EXPECT_EQ(sums[0], sums[1]);
  }
}

struct Result {
  std::vector<float> y, grad_x, grad_range, grad_gates, grad_channels;
};

Result RunQuantizer(Context& context, int64_t rows, int64_t elements, bool is_signed, const std::vector<float>& gates) {
  Tensor x = FromHost(context, Values(rows * elements, 4), {rows, elements});
  const Tensor upstream = FromHost(context, Values(rows * elements, 5), {rows, elements});
  Tensor range = FromHost<float>(context, {1.7f}, {1}), gate = FromHost(context, gates, {4});
  Tensor channels = FromHost(context, std::vector<float>(rows, 0.75f), {rows});
  Tape tape;
  tape.Watch(x), tape.Watch(range), tape.Watch(gate), tape.Watch(channels);
  Tensor y, loss = Zeros(context, {1});
  {
    Recording recording(context, tape);
    y = BayesianBits(context, x, range, gate, channels, is_signed);
    RecordOp(context, {&y}, loss, [upstream](Context&, const Tensor&, GradientSink& sink) { sink.Set(0, upstream); });
  }
  tape.Backward(context, loss);
  return {ToHost<float>(context, y), ToHost<float>(context, tape.Gradient(x)),
          ToHost<float>(context, tape.Gradient(range)), ToHost<float>(context, tape.Gradient(gate)),
          ToHost<float>(context, tape.Gradient(channels))};
}

TEST_F(CudaParity, BayesianBits) {
  for (const std::vector<float>& gates : {std::vector<float>{1, 1, 1, 1}, {0.3f, 0.9f, 0.2f, 0.5f}, {1, 0, 1, 1}}) {
    for (bool is_signed : {true, false}) {
      const int64_t rows = 3, elements = 5000;
      const Result cpu = RunQuantizer(cpu_, rows, elements, is_signed, gates);
      const Result gpu = RunQuantizer(*gpu_, rows, elements, is_signed, gates);
      EXPECT_EQ(cpu.y, gpu.y);
      EXPECT_EQ(cpu.grad_x, gpu.grad_x);
      // Sums of 15,000 terms below 9 in another order, in float within a block: 16 sqrt(n) eps of a term.
      const double tolerance = 16 * std::sqrt(15000.0) * 6e-8 * 9;
      EXPECT_NEAR(cpu.grad_range[0], gpu.grad_range[0], tolerance);
      for (int k = 0; k < 4; ++k) EXPECT_NEAR(cpu.grad_gates[k], gpu.grad_gates[k], tolerance);
      for (int64_t row = 0; row < rows; ++row) EXPECT_NEAR(cpu.grad_channels[row], gpu.grad_channels[row], tolerance);
    }
  }
}

TEST(CudaDevice, AnIndexThatIsNotThereIsAClearError) {
  try {
    Context context(ParseDevice("cuda:999"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), absl::StatusCode::kUnimplemented) << error.what();
  }
}

}  // namespace
}  // namespace bitgate
